/** One conversation as it is now, and the attributes of its participants. */
import { segment, type Caller } from '../caller.ts'
import { required, textAt, type JsonObject } from '../reading.ts'

export async function readConversation(caller: Caller, id: string, signal?: AbortSignal): Promise<JsonObject | null> {
  const call = { method: 'GET', path: `/api/v2/conversations/${segment(id)}`, repeatable: true, signal } as const
  return caller.jsonOrNull(call, (body) => {
    required(textAt(body, 'id', 300), 'a conversation without an id')
    return body
  })
}

/** Sets attributes; those not named stay. Writing the same twice is the same as once, but each write is published as an event. */
export async function patchAttributes(
  caller: Caller,
  conversationId: string,
  participantId: string,
  attributes: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const path = `/api/v2/conversations/${segment(conversationId)}/participants/${segment(participantId)}/attributes`
  await caller.answer({ method: 'PATCH', path, body: { attributes }, repeatable: true, signal })
}
