/** What is read from the wire and what goes out on it. */
import { at, type Mutation } from "../mutation.ts"

const malformed = "test/flows/malformed.test.ts"
const watch = "test/flows/pay-and-watch.test.ts"

export const wire: readonly Mutation[] = [
  ...at("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", watch, "one payment opens the door at once"],
  ]),
  ...at("server/adapters/express.ts", [
    [
      "private, no-store on what was paid for",
      'onHeaders(res, () => res.setHeader("cache-control", "private, no-store"))',
      "",
      watch,
      "one payment opens the door at once",
    ],
    [
      "no request of the web is no failure",
      "return createRequest(req, res, place)\n  } catch {",
      "return createRequest(req, res, place)\n  } catch (error) {\n    throw error",
      malformed,
      "HTP-04, HTP-05",
    ],
  ]),
  ...at("server/http/read-body.ts", [
    [
      "a parameter once",
      'if (parameters.has(name)) throw new Refusal("malformed", "Found a parameter given twice.")',
      "",
      malformed,
      "N-6749-2",
    ],
    ["bounded body", "if (size > maximumBodyBytes) throw", "if (false) throw", malformed, "PRS-01"],
  ]),
  ...at("shared/values/json.ts", [
    [
      "no key given twice",
      "if (inspect(value, maxDepth) !== writtenKeys(text))",
      "if (inspect(value, maxDepth) > writtenKeys(text))",
      "test/shared/codec.test.ts",
      "N-8725-7",
    ],
    [
      "no prototype keys",
      "if (forbiddenKeys.has(key)) throw",
      "if (false) throw",
      "test/shared/codec.test.ts",
      "PRS-04",
    ],
    [
      "bounded depth",
      "if (depth === 0) throw",
      "if (false) throw",
      "test/shared/codec.test.ts",
      "nested too deep",
    ],
  ]),
]
