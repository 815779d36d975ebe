package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// recordQuery reads the page's parameters. A field of the form that was left empty is no
// filter.
func recordQuery(v visit) (client.RecordQuery, error) {
	field := func(name string) string { return strings.TrimSpace(v.query(name)) }
	q := client.RecordQuery{
		App: field("app"), Env: field("env"), Kind: field("kind"), Principal: field("principal"), From: field("from"), Until: field("until"),
	}
	if before := field("before"); before != "" {
		var err error
		if q.Before, err = strconv.ParseUint(before, 10, 63); err != nil {
			return q, fairlead.Errorf(fairlead.Invalid, "", "before=%q is not a position in the ledger", before).WithHint("open /ledger for the newest entries")
		}
	}
	return q, nil
}

// ledgerLink returns the page of a query.
func ledgerLink(q client.RecordQuery) string {
	if values := q.Values().Encode(); values != "" {
		return ledgerPath + "?" + values
	}
	return ledgerPath
}

// recordFilters is the form of filters, with what it offers for choice.
type recordFilters struct {
	Query      client.RecordQuery
	Apps, Envs []string // with those that are chosen
}

// filtersOf reads what the form offers. A stream does without: it does not send the form.
func filtersOf(ctx context.Context, v visit, q client.RecordQuery) (recordFilters, error) {
	f := recordFilters{Query: q}
	if v.live {
		return f, nil
	}
	apps, err := v.api.Apps(ctx)
	for _, app := range apps {
		f.Apps = append(f.Apps, app.Name)
		for _, site := range app.Sites {
			f.Envs = append(f.Envs, site.Env)
		}
	}
	f.Apps, f.Envs = withChosen(f.Apps, q.App), withChosen(f.Envs, q.Env)
	return f, err
}

func withChosen(names []string, chosen string) []string {
	if chosen != "" {
		names = append(names, chosen)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Families returns the kinds for choice.
func (f recordFilters) Families() []family { return families() }

// Unknown returns the kind that is chosen where it is none of those for choice.
func (f recordFilters) Unknown() string {
	for _, fam := range families() {
		if fam.Prefix == f.Query.Kind || slices.ContainsFunc(fam.Kinds, func(k entryKind) bool { return k.Kind == f.Query.Kind }) {
			return ""
		}
	}
	return f.Query.Kind
}

// chip is a filter that is set, and the page without it.
type chip struct{ Name, Value, Without string }

// Chips returns the filters that are set.
func (f recordFilters) Chips() []chip {
	q := f.Query
	q.Before = 0
	var chips []chip
	add := func(name, value string, without client.RecordQuery) {
		if value != "" {
			chips = append(chips, chip{name, value, ledgerLink(without)})
		}
	}
	without := func(change func(*client.RecordQuery)) client.RecordQuery {
		c := q
		change(&c)
		return c
	}
	add("App", q.App, without(func(c *client.RecordQuery) { c.App = "" }))
	add("Environment", q.Env, without(func(c *client.RecordQuery) { c.Env = "" }))
	if q.Kind != "" {
		add("What", kindFilter(q.Kind), without(func(c *client.RecordQuery) { c.Kind = "" }))
	}
	if q.Principal != "" {
		add("Who", actorOf(q.Principal).Name, without(func(c *client.RecordQuery) { c.Principal = "" }))
	}
	add("From", q.From, without(func(c *client.RecordQuery) { c.From = "" }))
	add("Until", q.Until, without(func(c *client.RecordQuery) { c.Until = "" }))
	return chips
}
