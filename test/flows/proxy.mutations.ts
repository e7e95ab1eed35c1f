/** Removes the defences that proxy.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/proxy/header-names.ts", [
    ["names with _ are names with -", '.replaceAll("_", "-")', "", "HTP-10"],
    ["the buyer's token stays here", '"authorization", "cookie",', '"cookie",', "HTP-10"],
    ["an upstream sets no cookies", '"set-cookie", "set-cookie2",', "", "HTP-13"],
    ["an upstream opens itself to no origins", 'name.startsWith("access-control-") ||', "", "HTP-13"],
  ]),
  ...at("server/proxy/request-headers.ts", [
    ["a client's copy of a credential is dropped", " || headers.has(key)", "", "HTP-10"],
    ["names of Connection are dropped", " || named.has(key)", "", "HTP-09"],
  ]),
  ...at("server/proxy/answer-headers.ts", [
    ["no answer asks the buyer for money", "if (misleading.has(status)) return undefined", "", "HTP-14"],
    ["no redirect leads elsewhere", 'else if (name === "location" &&', "else if (false &&", "HTP-12"],
    ["no header repeats a credential", "!secrets.some((secret) => value.includes(secret))", "true", "HTP-13"],
    ["a page of an upstream is sandboxed", "...(!browser &&", "...(false &&", "HTP-13"],
  ]),
  ...at("server/proxy/relay.ts", [
    ["a buyer who leaves ends the call", "if (hasLeft) controller?.abort(new BuyerLeft())", "", "HTP-16"],
  ]),
  ...at("server/proxy/returns.ts", [
    [
      "failures are free for a while only",
      "if (count >= mostReturns) return false",
      "",
      "at most twenty times",
    ],
  ]),
  ...at("server/proxy/call.ts", [
    [
      "a call that failed costs nothing",
      "decide(isOurFault(failure))",
      "decide(false)",
      "costs nothing when the upstream fails",
    ],
  ]),
  ...at("server/proxy/proxy.ts", [
    [
      "no script of a service worker",
      "if (isScript && !open.service.browser)",
      "if (false)",
      "the script of a service worker",
    ],
    ["free calls are limited", "(await isCrowded(open, peer))", "false", "limits free calls of a peer"],
  ]),
  ...at("server/proxy/matcher.ts", [
    [
      "a folded path has no free route, at the service",
      "return isTaken ? undefined : found",
      "return found",
      "HTP-01",
    ],
  ]),
]
