/** Removes the defences that registry.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/metrics/label-bounds.ts", [
    ["routes are bounded", "if (known.size < most && value", "if (value", "MET-01: keep at most 200 routes"],
    [
      "unknown values are other",
      "return (value) => (known.has(value) ? value : otherValue)",
      "return (value) => (known.has(value) ? value : value)",
      "MET-01: count offers",
    ],
  ]),
  ...at("server/metrics/registry.ts", [
    [
      "old gauges disappear",
      "for (const gauge of gauges.values()) gauge.reset()",
      "",
      "show no value of a gauge",
    ],
    [
      "equal labels add up",
      "value: before ? BigInt(before.value) + BigInt(value) : value",
      "value",
      "write amounts beyond 2^53",
    ],
  ]),
  ...at("server/metrics/figures.ts", [
    ["scrapes share a reading", "reading ??= readOnce()", "reading = readOnce()", "MET-02"],
    [
      "a silent node does not hold a scrape",
      "await Promise.race([forecast().catch(() => undefined), late])",
      "await forecast().catch(() => undefined)",
      "come without gas",
    ],
  ]),
  ...at("server/metrics/call-tally.ts", [
    [
      "remembered grants are bounded",
      "if (oldest !== undefined) used.delete(oldest)",
      "",
      "count a grant as used once",
    ],
  ]),
]
