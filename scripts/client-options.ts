/** Makes the table of the client's options from the comments of their type. */
import { readFileSync } from "node:fs"
import ts from "typescript"

const file = new URL("../client/app/options.ts", import.meta.url)

type Row = { readonly name: string; readonly isOptional: boolean; readonly meaning: string }

export function clientTable(): string {
  const source = ts.createSourceFile("options.ts", readFileSync(file, "utf8"), ts.ScriptTarget.ES2023, true)
  const options = source.statements.find(
    (statement) => ts.isTypeAliasDeclaration(statement) && statement.name.text === "ClientOptions",
  )
  if (!options || !ts.isTypeAliasDeclaration(options)) throw new Error("there is no type ClientOptions")
  const lines = rowsOf(options.type, "").map(
    ({ name, isOptional, meaning }) => `| \`${name}\` | ${isOptional ? "" : "yes"} | ${meaning} |`,
  )
  return ["| Option | Needed | Meaning |", "|---|---|---|", ...lines].join("\n")
}

/** Returns one row for each option; the members of an object have their own rows. */
function rowsOf(type: ts.TypeNode, prefix: string): Row[] {
  if (!ts.isTypeLiteralNode(type)) return []
  return type.members.filter(ts.isPropertySignature).flatMap((member) => {
    const name = `${prefix}${member.name.getText()}`
    const [comment] = ts.getJSDocCommentsAndTags(member)
    const meaning = comment && ts.getTextOfJSDocComment(comment.comment)?.replaceAll(/\s+/g, " ")
    if (!meaning) throw new Error(`the client's option ${name} has no description`)
    const row = { name, isOptional: member.questionToken !== undefined, meaning }
    return [row, ...(member.type ? rowsOf(member.type, `${name}.`) : [])]
  })
}
