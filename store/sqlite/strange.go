package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// object is a table, index, view or trigger of a database.
type object struct{ kind, name, sql string }

func (o object) String() string { return o.kind + " " + o.name }

// objects returns what a database consists of, by kind and name. SQLite keeps the
// names that begin with sqlite_ for its own.
func objects(ctx context.Context, q querier) (map[string]object, error) {
	list, err := all(ctx, q, func(rows *sql.Rows) (o object, err error) {
		return o, rows.Scan(&o.kind, &o.name, &o.sql)
	}, `SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	found := map[string]object{}
	for _, o := range list {
		found[o.String()] = o
	}
	return found, err
}

// objects returns what the schema makes, by making it.
func (s schema) objects(ctx context.Context) (made map[string]object, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // each connection would have a database of its own
	if err := migrate(ctx, db, s); err != nil {
		return nil, err
	}
	return objects(ctx, db)
}

// strangeSchema describes what differs between a database's objects and those
// that the schema makes. A trigger that someone added could change what is
// written, and a view what is read.
func strangeSchema(ctx context.Context, q querier, s schema) ([]string, error) {
	want, err := s.objects(ctx)
	if err != nil {
		return nil, err
	}
	have, err := objects(ctx, q)
	if err != nil {
		return nil, err
	}
	var strange []string
	for _, key := range slices.Sorted(maps.Keys(have)) {
		switch o, known := want[key]; {
		case !known:
			strange = append(strange, "the database has a "+key+", which Fairlead did not make")
		case o.sql != have[key].sql:
			strange = append(strange, "the "+key+" is not as Fairlead made it")
		}
		delete(want, key)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		strange = append(strange, "the database lacks the "+key)
	}
	return strange, nil
}

// checkSchema refuses a database with other objects than its schema's.
func checkSchema(ctx context.Context, q querier, s schema) error {
	strange, err := strangeSchema(ctx, q, s)
	if err != nil || len(strange) == 0 {
		return err
	}
	return fairlead.Errorf(fairlead.Corrupt, "", "%s", strings.Join(strange, "; ")).
		WithHint("keep a copy of the state directory, and restore the newest backup")
}

// Strange implements verify.Keeper: objects that Fairlead did not make, facts of
// streams that are not known, and columns beside the signed notes and the keys
// that say something else than those.
func (r *Reader) Strange(ctx context.Context) iter.Seq2[string, error] {
	return described("look at the database", func(yield func(string, error) bool) {
		for _, look := range []func(context.Context) ([]string, error){r.strangeObjects, r.strangeFacts, r.strangeCheckpoints, r.strangeMeta} {
			list, err := look(ctx)
			for _, what := range list {
				if !yield(what, nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	})
}

func (r *Reader) strangeObjects(ctx context.Context) ([]string, error) {
	return strangeSchema(ctx, r.tx, ledgerSchema)
}

func (r *Reader) strangeFacts(ctx context.Context) ([]string, error) {
	return all(ctx, r.tx, func(rows *sql.Rows) (string, error) {
		var stream, n int64
		err := rows.Scan(&stream, &n)
		return fmt.Sprintf("%d facts are of a stream %d that is not known", n, stream), err
	}, `SELECT stream, count(*) FROM facts WHERE stream NOT IN (SELECT id FROM streams) GROUP BY stream ORDER BY stream`)
}

// strangeCheckpoints compares the columns beside each note with it. A note that
// cannot be opened is described elsewhere.
func (r *Reader) strangeCheckpoints(ctx context.Context) ([]string, error) {
	key, err := r.VerifierKey()
	if err != nil {
		return nil, err
	}
	list, err := all(ctx, r.tx, func(rows *sql.Rows) (string, error) {
		var span, size int64
		var note []byte
		if err := rows.Scan(&span, &size, &note); err != nil {
			return "", err
		}
		c, err := ledger.OpenCheckpoint(note, key)
		if err != nil || size == int64(c.Size) && span == size/checkpointSpan {
			return "", nil
		}
		return fmt.Sprintf("the checkpoint of %d entries is kept as one of %d, at place %d", c.Size, size, span), nil
	}, `SELECT span, size, note FROM checkpoints ORDER BY span`)
	return slices.DeleteFunc(list, func(what string) bool { return what == "" }), err
}

func (r *Reader) strangeMeta(ctx context.Context) ([]string, error) {
	key, err := r.VerifierKey()
	if err != nil {
		return nil, err
	}
	return all(ctx, r.tx, func(rows *sql.Rows) (string, error) {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return "", err
		}
		if name == "verifier" {
			return "the database names another verifier key than ledger.vkey", nil
		}
		return fmt.Sprintf("the database has a setting %q, which Fairlead did not make", name), nil
	}, `SELECT name, value FROM meta WHERE name <> 'verifier' OR value <> ? ORDER BY name`, key)
}
