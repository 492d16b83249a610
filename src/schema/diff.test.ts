import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffSchemas } from './diff.ts'
import { Registry } from './registry.ts'

test('fields, types and values, by path; a new object is one line', () => {
  const before = {
    type: 'object',
    properties: {
      gone: { type: 'string' },
      kind: { type: 'string', 'x-known-values': ['A', 'B'] },
      n: { type: 'integer' },
      list: { type: 'array', items: { $ref: '#/definitions/Item' } },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    definitions: { Item: { type: 'object', properties: { state: { type: 'string', enum: ['X'] } } } },
  }
  const after = {
    type: 'object',
    properties: {
      kind: { type: 'string', 'x-known-values': ['B', 'C'] },
      n: { type: 'string', format: 'date-time' },
      list: {
        type: 'array',
        items: {
          type: 'object',
          properties: { state: { type: 'string', enum: ['X', 'Y'] }, more: { type: 'object', properties: { a: {} } } },
        },
      },
      map: { type: 'object', additionalProperties: { type: ['null', 'integer'] } },
    },
  }
  assert.deepEqual(diffSchemas(before, after), [
    { kind: 'field_removed', path: 'gone', detail: 'string' },
    { kind: 'value_added', path: 'kind', detail: 'C' },
    { kind: 'value_removed', path: 'kind', detail: 'A' },
    { kind: 'type_changed', path: 'n', detail: 'integer -> string (date-time)' },
    { kind: 'value_added', path: 'list[].state', detail: 'Y' },
    { kind: 'field_added', path: 'list[].more', detail: 'object' },
    { kind: 'type_changed', path: 'map.*', detail: 'string -> integer' },
  ])
})

test('a schema does not differ from itself, nor from a copy, also when it refers to itself', () => {
  const registry = new Registry()
  for (const topic of registry.topics()) {
    const { schema } = registry.find(topic)
    assert.deepEqual(diffSchemas(schema, schema), [])
    assert.deepEqual(diffSchemas(schema, structuredClone(schema)), [])
  }
  const tree = { properties: { next: { $ref: '#' }, a: {} } }
  assert.deepEqual(diffSchemas(tree, { properties: { next: { $ref: '#' } } }), [{ kind: 'field_removed', path: 'a', detail: 'anything' }])
})
