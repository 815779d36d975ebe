// Package ledger holds the pure parts of Fairlead's tamper-evident record: how
// an entry becomes bytes, how bytes become a leaf of a Merkle tree, how a tree
// is signed and proved, how recorded facts are committed to, and how a personal
// text is sealed so that it can be erased later without breaking any of that.
//
// An entry's body is its JSON without its position. A leaf is
// SHA-256("fairlead entry v1\n" || salt || body), so a proof of inclusion can be
// shown without the body, and nobody without the salt can guess the body from
// it. The tree is that of RFC 6962 as golang.org/x/mod/sumdb/tlog builds it, and
// a checkpoint is a signed note (c2sp.org/tlog-checkpoint) of its size and root.
//
// Nothing here reads a disk or a clock. Every function is safe for concurrent
// use on different values. ledger/verify checks a whole ledger offline;
// store/sqlite keeps one.
package ledger
