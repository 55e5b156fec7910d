/** Structs whose keys are camelCase in code and snake_case on the wire, as the agent's HTTP contract writes them. */
import * as Schema from "effect/Schema"
import * as String from "effect/String"

type Snake<S extends string> = S extends `${infer Head}${infer Rest}`
  ? Rest extends Uncapitalize<Rest>
    ? `${Lowercase<Head>}${Snake<Rest>}`
    : `${Lowercase<Head>}_${Snake<Uncapitalize<Rest>>}`
  : S

type Mapping<Fields extends Schema.Struct.Fields> = {
  readonly [K in keyof Fields]: K extends string ? Snake<K> : K
}

/** `struct({ clusterId })` decodes from and encodes to `{ cluster_id }`. */
export const struct = <const Fields extends Schema.Struct.Fields>(fields: Fields) => {
  const mapping = Object.fromEntries(
    Object.keys(fields).map((key) => [key, String.camelToSnake(key)])
  ) as unknown as Mapping<Fields>
  return Schema.Struct(fields).pipe(Schema.encodeKeys(mapping))
}
