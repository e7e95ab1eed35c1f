import { readdir, readFile } from "node:fs/promises"
import { describe, expect, it } from "vitest"
import { collectMutations } from "./collect.ts"
import { mutate } from "./run.ts"

const at = (path: string) => new URL(`../../${path}`, import.meta.url)
const read = (file: string) => readFile(at(file), "utf8")
const mutations = await collectMutations()
const contracts = await readdir(at("test/contracts"))
const suites = contracts.filter((name) => !name.endsWith(".test.ts")).map((name) => `test/contracts/${name}`)

describe("the table of defences", () => {
  it.each(mutations)("finds the text and the test of the defence: $defence", async (mutation) => {
    const text = await read(mutation.file)
    expect(mutate(text, mutation)).not.toBe(text)
    // The suite of a contract is in a file beside the one that runs it.
    const beside = mutation.test.startsWith("test/contracts/") ? suites : []
    const files = [mutation.test, ...beside]
    expect((await Promise.all(files.map(read))).join("\n")).toContain(mutation.name)
  })

  it("reports a text that is missing or occurs twice", () => {
    const mutation = { ...mutations[0]!, find: "x" }
    expect(() => mutate("abc", mutation)).toThrow("found its text 0 times")
    expect(() => mutate("xx", mutation)).toThrow("found its text 2 times")
  })

  it("holds at least twenty defences under distinct names", () => {
    expect(mutations.length).toBeGreaterThanOrEqual(20)
    expect(new Set(mutations.map(({ defence }) => defence)).size).toBe(mutations.length)
  })
})
