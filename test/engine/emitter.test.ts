import { describe, expect, it } from 'vitest'
import { EngineEmitter } from '../../src/engine/emitter.ts'
import { recordingLogger } from './fixture.ts'

const event = { runId: 'r', at: new Date(0) }

describe('EngineEmitter', () => {
  it('calls, calls once, and stops calling', () => {
    const emitter = new EngineEmitter(recordingLogger())
    const calls: string[] = []
    const always = (): void => void calls.push('always')
    emitter.on('backup:start', always)
    emitter.once('backup:start', () => calls.push('once'))
    emitter.emit('backup:start', event)
    emitter.emit('backup:start', event)
    emitter.off('backup:start', always)
    emitter.emit('backup:start', event)
    expect(calls).toEqual(['always', 'once', 'always'])
    expect(emitter.listenerCount('backup:start')).toBe(0)
  })

  it('takes a listener off one event and leaves it on another', () => {
    const emitter = new EngineEmitter(recordingLogger())
    let calls = 0
    const listener = (): void => void calls++
    emitter.on('backup:start', listener)
    emitter.on('verify:start', listener)
    emitter.off('backup:start', listener)
    emitter.emit('backup:start', event)
    emitter.emit('verify:start', event)
    expect(calls).toBe(1)
  })

  it('goes on with the next listener when one throws', () => {
    const logger = recordingLogger()
    const emitter = new EngineEmitter(logger)
    let reached = false
    emitter.once('backup:start', () => {
      throw new Error('mine')
    })
    emitter.on('backup:start', () => {
      reached = true
    })
    emitter.emit('backup:start', event)
    expect(reached).toBe(true)
    expect(logger.lines).toHaveLength(1)
    emitter.emit('backup:start', event)
    expect(logger.lines).toHaveLength(1)
  })
})
