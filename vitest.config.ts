import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The SQLite store starts a worker thread from a .ts file; tsx gives that thread its loader.
    execArgv: ["--import", "tsx"],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
  },
})
