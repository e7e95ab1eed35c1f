/** A private chain that passes for a testnet: the same chain id, the same USDC address, the same EIP-712 domain. */
import type { ChildProcessByStdio } from "node:child_process"
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import type { Address, Hex } from "viem"
import { encodeFunctionData, numberToHex, parseEther, parseUnits } from "viem"
import { generatePrivateKey, privateKeyToAccount, privateKeyToAddress } from "viem/accounts"
import { aggregators } from "../../../server/core/batch.ts"
import { settlerCode } from "../../../server/core/settler.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { multicall3 } from "../contracts/artifacts/multicall3.ts"
import { testUsdc } from "../contracts/artifacts/test-usdc.ts"

export type LocalAccount = { address: Address; privateKey: Hex }

/** What a local chain may pass for. The USDC of both signs as "USDC", version "2", as the test asset does. */
export const localNetworks = { sepolia, "base-sepolia": baseSepolia } as const

export type LocalChainOptions = {
  /** Sepolia unless told; Base Sepolia for clients that pay in no asset but those of a table of their own. */
  network?: keyof typeof localNetworks
  /** 0 or absent: any free port. */
  port?: number
  /** Whole seconds between blocks; 0 mines each transaction at once. */
  blockTimeSeconds?: number
  accounts?: number
  /** Accounts whose random keys the node has, to sign for whoever asks it; none unless told. */
  nodeAccounts?: number
  /** Contracts for batches that are there, by name; both unless told. */
  aggregators?: readonly (keyof typeof aggregatorCodes)[]
}

export type LocalChain = {
  rpcUrl: string
  chainId: number
  asset: Address
  /** Throw-away keys, each with 100 ETH and 1,000 USDC. */
  accounts: readonly LocalAccount[]
  /** Adds to the USDC of an address; resolves once the block is there. */
  mint(address: Address, amount: bigint): Promise<void>
  /** Sets the ETH of an address, 100 unless told. */
  fund(address: Address, wei?: bigint): Promise<void>
  request(method: string, params?: readonly unknown[]): Promise<unknown>
  /** Ends the node; resolves when the process is gone, however often it is called. */
  stop(): Promise<void>
  /** Resolves when the node is gone, whether asked to or not. */
  ended: Promise<void>
}

/** Creation codes. */
const aggregatorCodes = { Settler: settlerCode, Multicall3: multicall3.bytecode }

type Node = ChildProcessByStdio<null, Readable, Readable>
type Request = LocalChain["request"]
type Place = { chainId: number; asset: Address; request: Request }

// Named, because "latest" moves with anvil while Sepolia and the contracts' evmVersion do not.
const hardfork = "osaka"
const startSeconds = 20
const stopSeconds = 5
const requestSeconds = 30
const defaultWei = parseEther("100")
const defaultUsdc = parseUnits("1000", 6)

export async function startLocalChain(options: LocalChainOptions = {}): Promise<LocalChain> {
  const { port = 0, blockTimeSeconds = 2, accounts: accountCount = 3, network = "sepolia" } = options
  const { nodeAccounts = 0 } = options
  requireWhole("port", port, 65_535)
  requireWhole("blockTimeSeconds", blockTimeSeconds, 86_400)
  requireWhole("accounts", accountCount, 1_000)
  requireWhole("nodeAccounts", nodeAccounts, 1_000)
  const wanted = new Set<string>(options.aggregators ?? Object.keys(aggregatorCodes))

  const { chainId, assets } = localNetworks[network]
  const asset = assets[0].address
  const node = spawnNode(port, chainId, nodeAccounts)
  const ended = new Promise<void>((resolve) => {
    node.once("close", () => resolve())
  })
  const stop = () => stopNode(node, ended)
  try {
    const rpcUrl = `http://127.0.0.1:${await listeningPort(node, port)}`
    const request: Request = (method, params = []) => requestJson(rpcUrl, method, params)
    const place = { chainId, asset, request }
    const accounts = Array.from({ length: accountCount }, newAccount)
    await request("anvil_setLoggingEnabled", [false])
    await putCode(request, asset, testUsdc.bytecode)
    for (const { name, address } of aggregators)
      if (wanted.has(name)) await putCode(request, address, aggregatorCodes[name])
    await endow(place, accounts)
    await startMining(request, blockTimeSeconds)
    return {
      rpcUrl,
      chainId,
      asset,
      accounts,
      mint: async (address, amount) => waitForSuccess(request, await sendMint(place, address, amount)),
      fund: (address, wei = defaultWei) => setBalance(request, address, wei),
      request,
      stop,
      ended,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function requireWhole(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return
  throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`)
}

function newAccount(): LocalAccount {
  const privateKey = generatePrivateKey()
  return { address: privateKeyToAddress(privateKey), privateKey }
}

// A call without `to` runs the constructor and returns the code: nothing is mined and no sender is needed.
async function putCode(request: Request, address: Address, creationCode: Hex): Promise<void> {
  const code = hex(await request("eth_call", [{ data: creationCode }, "latest"]))
  await request("anvil_setCode", [address, code])
}

// Nothing is mined until startMining, so all of them share one block.
async function endow(place: Place, accounts: readonly LocalAccount[]): Promise<void> {
  const { request } = place
  const hashes = await Promise.all(
    accounts.map(async ({ address }) => {
      await setBalance(request, address, defaultWei)
      return sendMint(place, address, defaultUsdc)
    }),
  )
  await request("evm_mine")
  await Promise.all(hashes.map((hash) => waitForSuccess(request, hash)))
}

async function startMining(request: Request, blockTimeSeconds: number): Promise<void> {
  if (blockTimeSeconds === 0) await request("evm_setAutomine", [true])
  else await request("evm_setIntervalMining", [blockTimeSeconds])
}

async function setBalance(request: Request, address: Address, wei: bigint): Promise<void> {
  await request("anvil_setBalance", [address, numberToHex(wei)])
}

/** Each mint comes from a sender of its own, so that mints at the same time never share a nonce. */
async function sendMint({ chainId, asset, request }: Place, to: Address, amount: bigint): Promise<Hex> {
  const sender = privateKeyToAccount(generatePrivateKey())
  await setBalance(request, sender.address, defaultWei)
  const transaction = await sender.signTransaction({
    type: "eip1559",
    chainId,
    nonce: 0,
    to: asset,
    data: encodeFunctionData({ abi: testUsdc.abi, functionName: "mint", args: [to, amount] }),
    gas: 200_000n,
    maxFeePerGas: parseUnits("1000", 9),
    maxPriorityFeePerGas: parseUnits("1", 9),
  })
  return hex(await request("eth_sendRawTransaction", [transaction]))
}

async function waitForSuccess(request: Request, hash: Hex): Promise<void> {
  const deadline = performance.now() + requestSeconds * 1000
  for (;;) {
    const receipt = await request("eth_getTransactionReceipt", [hash])
    if (typeof receipt === "object" && receipt !== null && "status" in receipt) {
      if (receipt.status === "0x1") return
      throw new Error(`transaction ${hash} failed on the local chain`)
    }
    if (performance.now() > deadline) {
      throw new Error(`transaction ${hash} was not mined in ${requestSeconds} s: is mining switched off?`)
    }
    await delay(25)
  }
}

function hex(value: unknown): Hex {
  if (typeof value !== "string" || !value.startsWith("0x")) throw new Error("the local chain sent no hex")
  return value as Hex
}

async function requestJson(rpcUrl: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(rpcUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(requestSeconds * 1000),
  })
  const answer = (await response.json()) as { result?: unknown; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
  return answer.result
}

function spawnNode(port: number, chainId: number, accounts: number): Node {
  const flags = ["--host", "127.0.0.1", "--port", String(port), "--chain-id", String(chainId)]
  // No dev accounts: their keys are public, and a signature made here is valid on the testnet.
  flags.push("--hardfork", hardfork, "--accounts", String(accounts), "--no-mining", "--no-request-size-limit")
  if (accounts > 0) flags.push("--mnemonic-random")
  // A chain left running keeps its states in memory and leaves none on the disk.
  flags.push("--prune-history", "1000", "--color", "never")
  const { command, first } = anvilCommand()
  const node = spawn(command, [...first, ...flags], { stdio: ["ignore", "pipe", "pipe"] })
  endTogether(node)
  return node
}

/** The platform's binary itself: killing the package's wrapper by force would leave the node behind. */
function anvilCommand(): { command: string; first: string[] } {
  const manifest = resolveFrom(import.meta.url, "@foundry-rs/anvil/package.json")
  if (manifest === undefined) {
    throw new Error("the local chain needs the package @foundry-rs/anvil: run npm install")
  }
  const architecture = process.arch === "x64" ? "amd64" : process.arch
  const file = process.platform === "win32" ? "anvil.exe" : "anvil"
  const binary = resolveFrom(manifest, `@foundry-rs/anvil-${process.platform}-${architecture}/bin/${file}`)
  if (binary !== undefined) return { command: binary, first: [] }
  return { command: process.execPath, first: [join(dirname(manifest), "bin.mjs")] }
}

function resolveFrom(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier)
  } catch {
    return undefined
  }
}

/** Anvil says where it listens; asking the port instead might reach somebody else's node on it. */
function listeningPort(node: Node, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ""
    let complained = ""
    const timer = setTimeout(() => fail(`did not listen within ${startSeconds} s`), startSeconds * 1000)
    const fail = (what: string) => {
      clearTimeout(timer)
      const taken = /address (already )?in use/i.test(complained)
      const why = taken ? `port ${port} is taken` : `anvil ${what}`
      reject(new Error(`the local chain did not start: ${why}${taken ? "" : tail(complained)}`))
    }
    node.once("error", (error) => fail(`could not be run (${error.message})`))
    node.once("close", (code, signal) => fail(`ended with ${signal ?? code}`))
    node.stderr.setEncoding("utf8").on("data", (text: string) => {
      complained = (complained + text).slice(-2000)
    })
    node.stdout.setEncoding("utf8").on("data", function listen(text: string) {
      said += text
      const found = /Listening on \S+:(\d+)\s/.exec(said)
      if (found === null) return
      clearTimeout(timer)
      // Read on without keeping: a full pipe would stop the node.
      node.stdout.off("data", listen).resume()
      resolve(Number(found[1]))
    })
  })
}

function tail(complaint: string): string {
  return complaint.trim() === "" ? "" : `: ${complaint.trim()}`
}

async function stopNode(node: Node, ended: Promise<void>): Promise<void> {
  node.kill("SIGTERM")
  const force = setTimeout(() => node.kill("SIGKILL"), stopSeconds * 1000)
  await ended
  clearTimeout(force)
}

const running = new Set<Node>()
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** One set of handlers for all nodes: whatever ends this process, short of SIGKILL, ends them first. */
function endTogether(node: Node): void {
  if (running.size === 0) {
    process.on("exit", endAll)
    // First in line, to see whoever else listens before a once-listener takes itself off the list.
    for (const signal of signals) process.prependListener(signal, endBySignal)
  }
  running.add(node)
  node.once("close", () => forget(node))
}

function forget(node: Node): void {
  running.delete(node)
  if (running.size > 0) return
  process.off("exit", endAll)
  for (const signal of signals) process.off(signal, endBySignal)
}

function endAll(): void {
  for (const node of running) node.kill("SIGTERM")
}

function endBySignal(signal: NodeJS.Signals): void {
  endAll()
  process.off(signal, endBySignal)
  // Listening took away the default, which is to die; whoever else listens decides for himself.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}
