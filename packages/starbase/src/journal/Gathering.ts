/**
 * Work that arrives while a group is in flight becomes the next group. Nothing waits for a timer: whoever comes alone
 * goes alone. A group that does not end in time is given up, its outcome unknown. Knows neither journal nor database; appends and loads share it.
 *
 * Not `RequestResolver`: its batches are bounded in neither number nor length of the queue, and a caller that goes
 * away takes its request with it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { GroupBounds } from "./JournalSettings.ts"

interface Member<In, A, E> {
  readonly input: In
  readonly bytes: number
  readonly claims: ReadonlyArray<string>
  readonly resume: (exit: Exit.Exit<A, E>) => void
}

export interface GatheringOptions<In, A, E> {
  readonly bounds: GroupBounds
  readonly bytesOf: (input: In) => number
  /** Two members with a claim in common are never in flight at once, so they go in the order of their arrival. */
  readonly claimsOf: (input: In) => ReadonlyArray<string>
  /** One exit for each member, in order. Nothing interrupts it; past the deadline nobody waits for it. */
  readonly perform: (group: ReadonlyArray<In>) => Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>>
  /** What a member is answered for which there is no room. */
  readonly overfull: () => E
  /** What each member is answered when its group has not ended in time: the outcome is unknown, and may still come. */
  readonly overdue: () => E
}

/**
 * @returns hands work over; what was handed over is done even if the caller goes away. Whoever must not go away while
 * the outcome is open makes the call uninterruptible.
 */
export const make = Effect.fnUntraced(function* <In, A, E>(
  options: GatheringOptions<In, A, E>
): Effect.fn.Return<(input: In) => Effect.Effect<A, E>, never, Scope.Scope> {
  const { bounds, bytesOf, claimsOf, perform, overfull, overdue } = options
  const idle: Array<() => void> = []
  const claimed = new Set<string>()
  let waiting: Array<Member<In, A, E>> = []
  let waitingBytes = 0
  /** A worker is on its way to the queue: whoever arrives now is in its group. */
  let isGathering = false
  /** Nothing that waits can go before a group in flight has ended. */
  let isStuck = false
  let isClosed = false

  const wake = () => {
    if (isGathering || isStuck || waiting.length === 0) return
    const worker = idle.pop()
    if (worker === undefined) return
    isGathering = true
    worker()
  }

  const take = (): ReadonlyArray<Member<In, A, E>> => {
    isGathering = false
    const group: Array<Member<In, A, E>> = []
    const left: Array<Member<In, A, E>> = []
    // What stays behind keeps its claims against whoever came later.
    const passed = new Set<string>()
    let bytes = 0
    let index = 0
    for (; index < waiting.length; index++) {
      const member = waiting[index]!
      const isFull = group.length > 0 && bytes + member.bytes > bounds.bytesMax
      if (isFull || group.length === bounds.membersMax) break
      if (member.claims.some((claim) => claimed.has(claim) || passed.has(claim))) {
        left.push(member)
        for (const claim of member.claims) passed.add(claim)
        continue
      }
      group.push(member)
      bytes += member.bytes
      for (const claim of member.claims) claimed.add(claim)
    }
    waiting = [...left, ...waiting.slice(index)]
    waitingBytes -= bytes
    isStuck = group.length === 0
    wake()
    return group
  }

  const answer = (members: ReadonlyArray<Member<In, A, E>>, exits: ReadonlyArray<Exit.Exit<A, E>>) =>
    members.forEach((member, index) =>
      member.resume(exits[index] ?? Exit.die("Gathering: a member without an answer"))
    )

  /** An answer runs whatever waits for it. A turn between some of them lets the next group leave meanwhile. */
  const settle = (group: ReadonlyArray<Member<In, A, E>>, exits: ReadonlyArray<Exit.Exit<A, E>>) => {
    for (const member of group) for (const claim of member.claims) claimed.delete(claim)
    isStuck = false
    wake()
    let answered = 0
    return Effect.whileLoop({
      while: () => answered < group.length,
      body: () => {
        const end = answered + bounds.answersAtOnce
        answer(group.slice(answered, end), exits.slice(answered, end))
        answered = end
        return Effect.yieldNow
      },
      step: () => undefined
    })
  }

  /**
   * What has not ended at the deadline is left to itself: a statement on a connection that went silent can neither be
   * heard nor taken back, and must not hold the place of those that come after it.
   */
  const inTime = Effect.fnUntraced(function* <B>(performed: Effect.Effect<B>) {
    const fiber = yield* Effect.forkDetach(performed, { startImmediately: true })
    const exit = yield* Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), bounds.deadline)
    return Option.getOrUndefined(exit)
  })

  const arrival = Effect.callback<void>((resume) => {
    const go = () => resume(Effect.void)
    idle.push(go)
    wake()
    return Effect.sync(() => {
      const index = idle.indexOf(go)
      if (index >= 0) idle.splice(index, 1)
    })
  })

  const group = Effect.suspend(() => {
    const members = take()
    if (members.length === 0) return Effect.void
    return inTime(perform(members.map(({ input }) => input))).pipe(
      Effect.flatMap((exit) => {
        if (exit === undefined)
          return settle(
            members,
            members.map(() => Exit.fail(overdue()))
          )
        return settle(
          members,
          Exit.isSuccess(exit) ? exit.value : members.map(() => Exit.failCause(exit.cause))
        )
      })
    )
  }).pipe(Effect.uninterruptible)

  // One turn of the scheduler: what is ready to arrive now joins the group.
  const worker = arrival.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(group), Effect.forever)

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      answer(
        waiting,
        waiting.map(() => Exit.interrupt())
      )
      waiting = []
    })
  )
  yield* Effect.forEach(Array.from({ length: bounds.groupsMax }), () => Effect.forkScoped(worker), {
    discard: true
  })

  return (input) =>
    Effect.callback<A, E>((resume) => {
      const bytes = bytesOf(input)
      if (isClosed) return resume(Effect.interrupt)
      if (waiting.length >= bounds.waitingMax || waitingBytes + bytes > bounds.waitingBytesMax) {
        return resume(Effect.fail(overfull()))
      }
      waiting.push({ input, bytes, claims: claimsOf(input), resume })
      waitingBytes += bytes
      isStuck = false
      wake()
    })
})
