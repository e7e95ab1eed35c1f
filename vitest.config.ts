import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { defineConfig, type Plugin } from "vitest/config"
import { bundled, threads } from "./test/support/bundle.ts"

/** Threads of the service run compiled: booting tsx in each of a thousand would cost more than all they are tested for. */
const compiledThreads = (): Plugin => ({
  name: "compiled-threads",
  load(id) {
    if (id !== join(import.meta.dirname, "server/ports/thread-module.ts")) return undefined
    const [thread = ""] = threads
    const folder = pathToFileURL(dirname(bundled(thread))).href
    const names = threads.map((each) => basename(each, ".ts"))
    return `export const threadModule = (name) => {
      if (!${JSON.stringify(names)}.includes(name)) throw new Error("no compiled thread " + name)
      return new URL("${folder}/" + name + ".js")
    }`
  },
})

export default defineConfig({
  plugins: [compiledThreads()],
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/temporary-folder.ts", "test/support/postgres/run.ts"],
    pool: "forks",
    // Most files wait for a chain or a process more than they compute; vitest's own choice on two cores is one at a time.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
  },
})
