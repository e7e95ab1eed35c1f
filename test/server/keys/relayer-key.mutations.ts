/** Removes the defences that relayer-key.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/keys/mounted-secret.ts", [
    ["mode of a mounted key", "if ((mode & ~0o640) === 0) return", "return", "is refused at mode"],
    [
      "readable by all on a read-only mount only",
      "if ((mode & ~0o644) === 0 && (await isOnReadOnlyMount(handle))) return",
      "if ((mode & ~0o644) === 0) return",
      "is refused at mode",
    ],
    [
      "a link stays in its folder",
      'if (inside.split(sep)[0] === "..")',
      "if (false)",
      "is refused behind a link out of its folder",
    ],
    [
      "nobody else writes on the way",
      "if ((mode & 0o022) !== 0 && !(await isOnReadOnlyMount(handle)))",
      "if (false)",
      "is refused where others may write",
    ],
    [
      "options of a mount, not its name",
      'list?.split(",").includes("ro")',
      'list?.includes("ro")',
      "is read from the kernel's line",
    ],
  ]),
  ...at("server/keys/relayer-key.ts", [
    ["a key leaves the environment", "    delete environment[variable]\n", "", "KEY-02"],
  ]),
]
