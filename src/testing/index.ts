/** What `holdfast/testing` exports: the suites that prove a plugin right, targets that fail on purpose, and fakes. */
export { memoryTarget } from '../targets/memory.ts'
export { type CountingTarget, countingTarget, type RecordedCall } from './counting-target.ts'
export { type CrashAfterOptions, type CrashingTarget, crashAfter } from './crash-after.ts'
export { type FakeClock, fakeClock } from './fake-clock.ts'
export {
  type ErrorFault,
  type FaultHit,
  type FaultyTarget,
  faultyTarget,
  type OutcomeFault,
  type PlannedFault,
  type TargetOperation,
} from './faulty-target.ts'
export { type MemoryContent, type MemorySource, type MemoryStream, memorySource } from './memory-source.ts'
export type { Runner } from './runner.ts'
export { type SinkConformanceOptions, sinkConformance } from './sink-conformance.ts'
export type { SinkSample } from './sink-pull-tests.ts'
export { type SourceConformanceOptions, sourceConformance } from './source-conformance.ts'
export { capabilityCard } from './target-card.ts'
export { type OtherProcess, type TargetConformanceOptions, targetConformance } from './target-conformance.ts'
export { testEngine } from './test-engine.ts'
export { transformConformance } from './transform-conformance.ts'
