#!/usr/bin/env node
// Starts the command. Refuses a Node that is too old before anything that needs a newer one is read, so this file has no
// static import and nothing newer than Node 12 can parse. Runs the sources in a clone, the built files when published.

const OLDEST_MAJOR = 24

function start() {
  const version = process.versions.node
  if (Number(version.split('.')[0]) < OLDEST_MAJOR) {
    process.stderr.write(
      `trunkline needs Node.js ${OLDEST_MAJOR} or newer; this is v${version} ` +
        `(get it from https://nodejs.org/en/download, or with a version manager: nvm install ${OLDEST_MAJOR}; ` +
        'in a clone on Linux, npm run trunkline -- ARGS brings its own)\n',
    )
    process.exitCode = 2
    return Promise.resolve()
  }
  silenceKnownExperiments()
  return run()
}

async function run() {
  const { existsSync, realpathSync } = await import('node:fs')
  const source = new URL('../src/cli/main.ts', import.meta.url)
  if (existsSync(source)) goToCaller(realpathSync(new URL('..', import.meta.url)))
  const main = existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url)
  const command = await import(main.href)
  process.exitCode = await command.main(process.argv.slice(2))
}

// npm runs the scripts of a clone in its root, wherever it was called; paths are meant from where the person is.
function goToCaller(root) {
  const { npm_lifecycle_event: script, INIT_CWD: caller } = process.env
  if ((script !== 'trunkline' && script !== 'start') || !caller || process.cwd() !== root) return
  try {
    process.chdir(caller)
  } catch {
    // The folder is gone by now: the root will do.
  }
}

// Node 24.0 to 24.14 call SQLite, and 24.0 to 24.11 type stripping, experimental. Both are relied on knowingly and
// tested; the lines would only worry. Every other warning stays.
function silenceKnownExperiments() {
  const emitWarning = process.emitWarning
  process.emitWarning = function (warning, options, ...rest) {
    const type = typeof options === 'object' && options !== null ? options.type : options
    const known = /^(SQLite|Type Stripping) is an experimental feature/i
    if (type === 'ExperimentalWarning' && known.test(String(warning))) return
    emitWarning.call(process, warning, options, ...rest)
  }
}

start().catch((error) => {
  process.stderr.write(`trunkline: ${error && error.stack ? error.stack : error}\n`)
  process.exitCode = 1
})
