/** What an operator may be shown holds no secret, by its type: the compiler refuses a schema with a field for one. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Fields that hold ciphertext of a tenant's value, or the hash of a credential. */
type SecretField =
  | "sealed"
  | "hash"
  | "agentTokenHash"
  | "tokenHash"
  | "credentialHash"
  | "previousHash"
  | "usedByHash"

type FieldNames<A> = A extends string | number | boolean | null | undefined
  ? never
  : A extends ReadonlyArray<infer Element>
    ? FieldNames<Element>
    : A extends object
      ? // A key that is any string at all is no name, and would swallow those that are.
        { [K in keyof A]: (string extends K ? never : K) | FieldNames<A[K]> }[keyof A]
      : never

type SecretsOf<A> = Extract<FieldNames<A>, SecretField>

/** From what is stored to what is shown, both JSON: fields that the view's schema does not name are left behind. */
export type View = (stored: unknown) => Effect.Effect<unknown, Schema.SchemaError>

/** Does not compile for a schema whose type, however deep, has a field that holds a secret. */
export const view = <A>(
  schema: Schema.Codec<A, unknown> & ([SecretsOf<A>] extends [never] ? unknown : SecretsOf<A>)
): View => {
  const decode = Schema.decodeUnknownEffect<Schema.Codec<A, unknown>>(schema)
  const encode = Schema.encodeEffect<Schema.Codec<A, unknown>>(schema)
  return (stored) => Effect.flatMap(decode(stored), (shown) => encode(shown))
}
