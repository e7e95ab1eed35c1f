/** Removes the defences that matcher.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/proxy-path.ts", [
    ["hidden parts of a path are refused", " || hiddenPart.test(path)", "", "HTP-06"],
    ["a path is read as a lenient server reads it", "isAmbiguous(folded)", "false", "HTP-06"],
    ["escapes have one spelling", ": code.toUpperCase()", ": code", "HTP-02"],
    ["compatibility forms of letters are folded", '.normalize("NFKC")', "", "HTP-01"],
  ]),
  ...at("server/proxy/matcher.ts", [
    ["a folded path has no free route", "return isTaken ? undefined : found", "return found", "HTP-01"],
    [
      "a directory is no free path without its slash",
      "? [short, `${short}/`] : [short]",
      "? [short] : [short]",
      "HTP-01",
    ],
    ["a hidden route is refused", "if (first !== route)", "if (false)", "HTP-24"],
    ["methods that are not forwarded have no route", "isProxied(asked)", "true", "HTP-04"],
  ]),
]
