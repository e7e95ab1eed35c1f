/** Places the test asset at an address of the local chain: a proxy, and behind it the contract that keeps the balances. */
import {
  type Address,
  encodeFunctionData,
  type Hex,
  keccak256,
  numberToHex,
  parseEther,
  parseUnits,
  toHex,
} from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { testProxy } from "../contracts/artifacts/test-proxy.ts"
import { testUsdc } from "../contracts/artifacts/test-usdc.ts"

export type Request = (method: string, params?: readonly unknown[]) => Promise<unknown>
export type AssetAccess = { readonly chainId: number; readonly asset: Address; readonly request: Request }

/** The only account that upgrades the proxy, and that cannot call the asset behind it. */
export const assetAdmin: Address = "0xad000000000000000000000000000000000000ad"
const firstImplementation: Address = "0x1300000000000000000000000000000000000013"

const { abi } = testUsdc
const slot = (name: string): Hex => keccak256(toHex(`org.zeppelinos.proxy.${name}`))

/** The name, and with it the signing domain, is set by `nameAsset` in a block. */
export async function placeAsset({ asset, request }: AssetAccess): Promise<void> {
  await putCode(request, firstImplementation, testUsdc.bytecode)
  await putCode(request, asset, testProxy.bytecode)
  for (const [name, value] of [
    ["admin", assetAdmin],
    ["implementation", firstImplementation],
  ] as const)
    await request("anvil_setStorageAt", [asset, slot(name), word(value)])
}

const word = (address: Address): Hex => `0x${address.slice(2).padStart(64, "0")}`

/** Places the runtime code of a contract. A call without `to` runs the constructor: it mines nothing and needs no sender. */
export async function putCode(request: Request, address: Address, creationCode: Hex): Promise<void> {
  await request("anvil_setCode", [address, await request("eth_call", [{ data: creationCode }, "latest"])])
}

/** Sends the name of Sepolia's USDC to the asset, and returns the transaction hash. */
export const nameAsset = (access: AssetAccess): Promise<Hex> =>
  sendToAsset(access, encodeFunctionData({ abi, functionName: "setName", args: ["USDC"] }))

/** Adds to a balance, and returns the transaction hash. */
export const mintAsset = (access: AssetAccess, to: Address, amount: bigint): Promise<Hex> =>
  sendToAsset(access, encodeFunctionData({ abi, functionName: "mint", args: [to, amount] }))

/** Each call has a sender of its own, so that calls at the same time never share a nonce. */
async function sendToAsset({ chainId, asset, request }: AssetAccess, data: Hex): Promise<Hex> {
  const sender = privateKeyToAccount(generatePrivateKey())
  await request("anvil_setBalance", [sender.address, numberToHex(parseEther("100"))])
  const transaction = await sender.signTransaction({
    type: "eip1559",
    chainId,
    nonce: 0,
    to: asset,
    data,
    gas: 200_000n,
    maxFeePerGas: parseUnits("1000", 9),
    maxPriorityFeePerGas: parseUnits("1", 9),
  })
  const hash = await request("eth_sendRawTransaction", [transaction])
  if (typeof hash !== "string" || !hash.startsWith("0x")) throw new Error("the local chain sent no hash")
  return hash as Hex
}
