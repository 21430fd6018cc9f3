import { defineConfig } from 'tsup'

/** `dist` is flat, so the worker file lies beside whichever chunk starts it. */
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    postgres: 'src/sources/postgres/index.ts',
    s3: 'src/s3.ts',
    testing: 'src/testing/index.ts',
    'holdfast-worker': 'src/workers/worker.ts',
  },
  format: 'esm',
  platform: 'node',
  target: 'node22',
  dts: {
    entry: {
      index: 'src/index.ts',
      postgres: 'src/sources/postgres/index.ts',
      s3: 'src/s3.ts',
      testing: 'src/testing/index.ts',
      'holdfast-worker': 'src/workers/worker.ts',
    },
  },
  sourcemap: true,
  splitting: true,
  clean: true,
  // Without it `node:` is cut off, which some modules need and all should have.
  removeNodeProtocol: false,
})
