/** `npm run bench`: measures the gate, a sale, a durable commit and a settlement, as ratios within one run. */
import { availableParallelism } from "node:os"
import { Argument, Command, InvalidArgumentError } from "commander"
import { type CommitFigures, measureCommits } from "./commits.ts"
import { showSpread } from "./figures.ts"
import { type GateFigures, measureGate } from "./gate.ts"
import { startGenerator } from "./generator.ts"
import { measureParts, type PartFigures } from "./parts.ts"
import { measurePostgres, showPostgres } from "./postgres.ts"
import { measureSales, type SaleFigures } from "./sale.ts"
import { openService } from "./service.ts"
import { measureSettlement, type SettlementFigures } from "./settlement.ts"

type Figures = {
  readonly node: string
  readonly cores: number
  readonly secondsPerSlice: number
  readonly gate: GateFigures
  readonly sale: SaleFigures & { readonly parts: readonly PartFigures[] }
  readonly commits: CommitFigures
  readonly settlement: SettlementFigures
}

async function measure(seconds: number): Promise<Figures> {
  // It runs first, on its own chain, before another chain takes its share of the machine.
  const settlement = await measureSettlement(seconds)
  const generator = startGenerator()
  const service = await openService()
  try {
    return {
      node: process.version,
      cores: availableParallelism(),
      secondsPerSlice: seconds,
      gate: await measureGate(service, generator, seconds),
      // The parts run before the sales, whose settlement continues for a while.
      commits: await measureCommits(service, seconds / 4),
      sale: {
        parts: await measureParts(service, Math.max(5, Math.ceil(seconds * 30))),
        ...(await measureSales(service, generator, seconds)),
      },
      settlement,
    }
  } finally {
    await generator.close()
    await service.close()
  }
}

function show({ node, cores, gate, sale, commits, settlement }: Figures): string {
  const route = (name: string, { requestsPerSecond, p50, p99 }: GateFigures["gated"]) =>
    `  ${name.padEnd(14)}${showSpread(requestsPerSecond, 0).padEnd(28)} requests/s   p50 ${p50} ms   p99 ${p99} ms`
  return [
    `Node ${node}, ${cores} cores shared by server, load generator and chain. Medians (least to most);`,
    "only ratios within one run mean anything on another machine.",
    "",
    `Gate: ${showSpread(gate.ratio)} of the requests per second of the same route without it, ${gate.pairs} pairs of slices`,
    route("gated", gate.gated),
    route("open", gate.open),
    `  ${showSpread(gate.meteredRatio)} of the gated requests per second where calls are counted`,
    route("metered", gate.metered),
    "",
    `Sale: ${showSpread(sale.tokensPerSecond, 0)} tokens/s end to end, ${sale.parallel} buyers at once, ${sale.sold} sold`,
    `  ${(sale.cpuEach / 1000).toFixed(1)} ms of CPU over all threads, settlement included`,
    `  p50 ${sale.p50.toFixed(1)} ms   p99 ${sale.p99.toFixed(1)} ms; of one sale alone:`,
    ...sale.parts.map(
      ({ name, milliseconds, share }) =>
        `  ${name.padEnd(18)}${milliseconds.toFixed(2).padStart(7)} ms ${(share * 100).toFixed(0).padStart(4)} %`,
    ),
    "",
    `Commits: ${showSpread(commits.ratio, 1)} times as many durable redemptions in groups of ${commits.group} as one by one`,
    `  one by one    ${showSpread(commits.singlePerSecond, 0)} per s`,
    `  in groups     ${showSpread(commits.groupedPerSecond, 0)} per s`,
    "",
    ...showSettlement(settlement),
  ].join("\n")
}

function showSettlement({ gas, gasRatio, perSecond, speedUp, hostile }: SettlementFigures): string[] {
  const rate = (name: string, value: number) => `  ${name.padEnd(14)}${value.toFixed(1).padStart(7)} per s`
  return [
    `Settlement: ${gasRatio.toFixed(2)} of the gas for a payment in a batch of 50 of one alone`,
    `  gas each      alone ${gas.alone.toFixed(0)}   of 10 ${gas.at10.toFixed(0)}   of 50 ${gas.at50.toFixed(0)}`,
    `  ${speedUp.toFixed(0)} times as many per second as by a worker that waits for each transaction, on blocks of 1 s`,
    rate("batched", perSecond.batched),
    rate("one each", perSecond.pipelined),
    rate("waiting", perSecond.sequential),
    `  a hostile payer in a batch of ${hostile.riders}: ${hostile.settled} settled`,
  ]
}

const command = new Command("bench")
  .description("measures the gate, a sale, a durable commit and a settlement, in about a minute")
  .addArgument(new Argument("[part]", "only this part").choices(["postgres"]))
  .option("--json", "print the figures as JSON", false)
  .option("--seconds <number>", "seconds of one slice", parseSeconds, 1.5)
  .parse()
const options = command.opts<{ json: boolean; seconds: number }>()

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 10)) throw new InvalidArgumentError("wanted a number above 0, at most 10")
  return seconds
}

function print<T>(figures: T, showFigures: (figures: T) => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(figures, null, 2) : showFigures(figures)}\n`)
}

if (command.args[0] === "postgres")
  print(await measurePostgres(options.seconds), (figures) => showPostgres(figures).join("\n"))
else print(await measure(options.seconds), show)
