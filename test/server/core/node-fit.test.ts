/** Versions of Node.js and better-sqlite3 that run ticket402, and the sentence for those that do not. */
import { expect, it } from "vitest"
import packageJson from "../../../package.json" with { type: "json" }
import { createIssuer } from "../../../server/app/issuer.ts"
import { nodeProblem, sqliteProblem } from "../../../server/core/node-fit.ts"
import { runCommand } from "../../support/command.ts"
import { configInput } from "../../support/offers.ts"

const wanted = "wanted 20.12 or later of 20, or 22 and later"

it("accepts the Node.js versions that package.json promises", () => {
  expect(packageJson.engines.node).toBe("^20.12.0 || >=22.0.0")
  for (const version of ["20.12.0", "20.20.2", "22.0.0", "24.9.0", "26.1.0"])
    expect(nodeProblem(version)).toBeUndefined()
  for (const version of ["18.20.8", "20.11.1", "21.7.3"])
    expect(nodeProblem(version)).toBe(`found Node.js ${version}, ${wanted}`)
})

it("accepts the better-sqlite3 versions that package.json promises, each on its Node.js", () => {
  expect(packageJson.peerDependencies["better-sqlite3"]).toBe("^12.11.0 || ^13.0.0")
  for (const [sqlite, node] of [
    ["12.11.1", "20.20.2"],
    ["12.11.1", "24.9.0"],
    ["13.2.0", "22.0.0"],
  ] as const)
    expect(sqliteProblem(sqlite, node)).toBeUndefined()
  expect(sqliteProblem("13.2.0", "20.20.2")).toBe(
    "found better-sqlite3 13.2.0 on Node.js 20.20.2, wanted version 12: npm i better-sqlite3@12",
  )
  for (const version of ["11.10.0", "14.0.0"])
    expect(sqliteProblem(version, "22.0.0")).toBe(
      `found better-sqlite3 ${version} on Node.js 22.0.0, wanted version 12 or 13: npm i better-sqlite3@13`,
    )
})

const onNode18 = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.8"}})`

it("the command refuses Node.js 18 in one sentence", async () => {
  const env = {
    ...process.env,
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(onNode18)}`,
  }
  expect(await runCommand("scripts/ticket402.ts", ["--help"], env).ended).toEqual({
    code: 78,
    stdout: "",
    stderr: `ticket402: found Node.js 18.20.8, ${wanted}\n`,
  })
})

it("a service refuses Node.js 18 in one sentence, before it opens anything", async () => {
  const versions = Object.getOwnPropertyDescriptor(process, "versions")
  Object.defineProperty(process, "versions", { configurable: true, value: { node: "18.20.8" } })
  try {
    await expect(createIssuer(configInput())).rejects.toThrow(`found Node.js 18.20.8, ${wanted}`)
  } finally {
    if (versions) Object.defineProperty(process, "versions", versions)
  }
})
