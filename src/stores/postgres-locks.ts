/** Names the advisory locks of this package among those of a database. */
export const lockClass = 0x6d61_696c

/** Keys share this many locks, from 0 on: few enough for a batch to take all of them. */
export const keyLocks = 64

/** The lock of who migrates. */
export const migrationLock = keyLocks

/** The lock of who puts counts together or takes some away. */
export const totalsLock = migrationLock + 1

/** The lock of who makes partitions or drops some. */
export const daysLock = totalsLock + 1

/** Each row of counts is kept in up to this many, so that so many can add to it at once. */
export const countShards = 8

/** The locks of who adds to the rows of a shard, from this one on. */
export const firstShardLock = daysLock + 1
