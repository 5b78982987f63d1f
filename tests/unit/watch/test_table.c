/*
 * watch/table and watch/blocks against models that are too simple to be wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/table.h"

#include "unit.h"
#include "watch/blocks.h"

#define MOST 500
#define KEYS 1500
#define CHAINS 97		/* different hashes */
#define STEPS 100000

struct item {
	struct table_link link;
	uint32_t key;
	uint32_t used;		/* of the caller's */
};

/* Keys, the one that was not used for longest first. */
struct model {
	uint32_t key[MOST + 1];
	uint32_t count;
	uint32_t shed;
};

static uint32_t random_state;

static uint32_t
below(uint32_t bound)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * bound >> 32);
}

static uint64_t
hash_of(uint32_t key)
{
	return (uint64_t)(key % CHAINS) * 0x9e3779b97f4a7c15u;
}

static void
model_drop(struct model *m, uint32_t key)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->count; i++)
		if (m->key[i] != key)
			m->key[n++] = m->key[i];
	m->count = n;
}

static bool
model_has(const struct model *m, uint32_t key)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->key[i] == key)
			return true;
	return false;
}

static void
shed(void *arg, struct table_link *link)
{
	struct model *m = arg;
	struct item *item = (struct item *)(void *)link;

	assert_int_equal(item->key, m->key[0]);
	model_drop(m, item->key);
	m->shed++;
}

static struct item *
find(const struct table *t, uint32_t key)
{
	struct item *item = table_first(t, hash_of(key));

	for (; item != NULL; item = table_next(t, item)) {
		assert_int_equal(item->link.hash, (uint32_t)hash_of(key));
		if (item->key == key)
			return item;
	}
	return NULL;
}

static void
check(const struct table *t, const struct model *m)
{
	const struct item *item = table_oldest(t);

	assert_int_equal(t->count, m->count);
	assert_int_equal(t->shed_count, m->shed);
	assert_true(t->made <= t->most && t->count <= t->made);
	for (uint32_t i = 0; i < m->count; i++) {
		assert_non_null(item);
		assert_int_equal(item->key, m->key[i]);
		assert_ptr_equal(table_at(t, item->link.self), item);
		item = table_newer(t, item);
	}
	assert_null(item);
}

static void
add(struct table *t, struct model *m, uint32_t key)
{
	bool full = m->count == t->most && t->keeps;
	struct item *item = table_add(t, hash_of(key));

	if (full) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	assert_int_equal(item->key, 0);	/* zeroed, also when used again */
	assert_int_equal(item->used, 0);
	item->key = key;
	item->used = UINT32_MAX;
	m->key[m->count++] = key;
}

static void
step(struct table *t, struct model *m)
{
	uint32_t key = 1 + below(KEYS);
	struct item *item = find(t, key);

	assert_int_equal(item != NULL, model_has(m, key));
	if (item == NULL) {
		add(t, m, key);
	} else if (below(2) == 0) {
		table_drop(t, item);
		model_drop(m, key);
	} else {
		table_touch(t, item);
		model_drop(m, key);
		m->key[m->count++] = key;
	}
}

static void
run(uint32_t most, bool keeps)
{
	struct model m = { .count = 0 };
	struct table t;

	random_state = most;
	assert_true(table_init(&t, sizeof(struct item), most));
	t.keeps = keeps;
	t.shed = shed;
	t.arg = &m;
	for (unsigned i = 0; i < STEPS; i++) {
		step(&t, &m);
		if (i % 100 == 0)
			check(&t, &m);
	}
	check(&t, &m);
	table_free(&t);
}

static void
random_steps_are_those_of_the_model(void **state)
{
	(void)state;
	run(MOST, false);
	run(MOST, true);
	run(64, false);
	run(1, false);
	run(1, true);
}

/* Buckets double while items stay where they are. */
static void
items_stay_where_they_are(void **state)
{
	enum { MANY = 50000 };
	static struct item *at[MANY];
	struct table t;

	(void)state;
	assert_true(table_init(&t, sizeof(struct item), MANY));
	for (uint32_t i = 0; i < MANY; i++) {
		at[i] = table_add(&t, table_hash(1, &i, sizeof(i)));
		assert_non_null(at[i]);
		at[i]->key = i;
	}
	assert_true(t.buckets >= MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		struct item *item = table_first(&t,
		    table_hash(1, &i, sizeof(i)));

		while (item != NULL && item->key != i)
			item = table_next(&t, item);
		assert_ptr_equal(item, at[i]);
	}
	table_free(&t);
}

static void
nothing_can_be_in_a_table_of_nothing(void **state)
{
	struct table t;

	(void)state;
	assert_true(table_init(&t, sizeof(struct item), 0));
	assert_null(table_add(&t, 1));
	assert_null(table_first(&t, 1));
	assert_null(table_oldest(&t));
	table_free(&t);
}

static void
hashes_depend_on_the_seed_and_every_byte(void **state)
{
	uint8_t bytes[18] = { 0 };
	uint64_t plain = table_hash(1, bytes, sizeof(bytes));

	(void)state;
	assert_int_not_equal(plain, table_hash(2, bytes, sizeof(bytes)));
	for (size_t n = 0; n < sizeof(bytes); n++) {
		assert_int_not_equal(plain, table_hash(1, bytes, n));
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[n] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(plain,
			    table_hash(1, bytes, sizeof(bytes)));
			bytes[n] ^= (uint8_t)(1u << bit);
		}
	}
}

/* ---- blocks */

static void
blocks_are_apart_and_never_more_than_stated(void **state)
{
	enum { BLOCKS = 300, BYTES = 1000 };
	char *block[BLOCKS] = { NULL };
	struct blocks b;
	uint32_t used = 0;

	(void)state;
	random_state = 7;
	assert_true(blocks_init(&b, BYTES, BLOCKS - 50));
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t n = below(BLOCKS);

		if (block[n] != NULL) {
			/* All of it is still what was written. */
			assert_int_equal(block[n][0], (char)n);
			assert_memory_equal(block[n], block[n] + 1,
			    BYTES - 1);
			blocks_put(&b, block[n]);
			block[n] = NULL;
			used--;
		} else if ((block[n] = blocks_get(&b)) != NULL) {
			memset(block[n], (char)n, BYTES);
			used++;
		} else {
			assert_int_equal(used, BLOCKS - 50);
		}
		assert_int_equal(b.used, used);
	}
	assert_true(b.made <= b.most);
	blocks_put(&b, NULL);
	blocks_free(&b);
	blocks_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_are_those_of_the_model),
		cmocka_unit_test(items_stay_where_they_are),
		cmocka_unit_test(nothing_can_be_in_a_table_of_nothing),
		cmocka_unit_test(hashes_depend_on_the_seed_and_every_byte),
		cmocka_unit_test(blocks_are_apart_and_never_more_than_stated),
	};

	return RUN(tests);
}
