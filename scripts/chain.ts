/** `npm run chain`: runs the local chain until Ctrl-C, and prints its URL and accounts as one JSON line. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander"
import { localNetworks, startLocalChain } from "../test/support/chain/local-chain.ts"

type Options = { port: number; blockTime: number; network: keyof typeof localNetworks }

const badOption = 78

const warning = (
  name: string,
) => `WARNING: this chain has the chain id, USDC address and EIP-712 domain of the real ${name}, so a
signature made here is valid there as well. Use throw-away keys only, such as the printed ones.
`

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text)
    throw new InvalidArgumentError(`Wanted: a whole number from 0 to ${most}.`)
  }
}

function readOptions(): Options {
  return new Command("chain")
    .description("Runs a local chain with the chain id of a test network, and accounts with USDC.")
    .option("--port <number>", "port on 127.0.0.1; 0 for any free port", wholeNumber(65_535), 8545)
    .option("--block-time <seconds>", "seconds between blocks; 0 mines at once", wholeNumber(86_400), 2)
    .addOption(
      new Option(
        "--network <name>",
        "test network whose chain id, USDC address and signing domain the chain has",
      )
        .choices(Object.keys(localNetworks))
        .default("sepolia"),
    )
    .allowExcessArguments(false)
    .exitOverride()
    .parse()
    .opts<Options>()
}

async function main(): Promise<void> {
  const { port, blockTime, network } = readOptions()
  // The handlers come before the node starts, so that an early Ctrl-C is a clean end and no failure.
  let asked = false
  let stop = async () => {}
  const end = () => {
    asked = true
    void stop()
  }
  // Not `once`: a terminal signals the whole group and npm passes the signal on, so it arrives twice.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end)
  try {
    const chain = await startLocalChain({ port, network, blockTimeSeconds: blockTime })
    stop = chain.stop
    process.stderr.write(warning(localNetworks[network].name))
    const { rpcUrl, chainId, asset, accounts } = chain
    process.stdout.write(`${JSON.stringify({ rpcUrl, chainId, asset, accounts })}\n`)
    await chain.ended
    if (!asked) throw new Error("the local chain ended unexpectedly")
  } catch (error) {
    if (!asked) throw error
  }
}

try {
  await main()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed the problem or the help.
    process.exitCode = error.exitCode === 0 ? 0 : badOption
  } else {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
