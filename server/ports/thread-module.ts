/** Finds the module of a worker thread, compiled or from source. */
import { existsSync } from "node:fs"
import { ThreadMissing } from "./runtime.ts"

/**
 * Compiled, the module is the file beside the caller. Throws {@link ThreadMissing} where a bundler left it out:
 * otherwise every sale would fail, and only then. From source a thread has to boot tsx, whose hooks reach the main
 * thread only (privatenumber/tsx#354).
 */
export function threadModule(name: string, from: string): URL {
  if (!from.endsWith(".ts")) {
    const compiled = new URL(`./${name}.js`, from)
    if (!existsSync(compiled)) throw new ThreadMissing(name)
    return compiled
  }
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"))
  const entry = JSON.stringify(new URL(`./${name}.ts`, from).href)
  const boot = `import { register } from ${loader}
register()
await import(${entry})`
  return new URL(`data:text/javascript,${encodeURIComponent(boot)}`)
}
