package console

import (
	"context"
	"net/http"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// ledgerTrust is what tells whether the ledger can be relied on.
type ledgerTrust struct {
	Verification client.Verification
	Signed       client.Signed
	May          bool // begin a verification
}

// Done is the share of the entries that a verification has read, in percent.
func (t ledgerTrust) Done() int {
	return int(100 * min(t.Verification.Entries, t.Verification.Size) / max(t.Verification.Size, 1))
}

// Took is how long the newest verification took.
func (t ledgerTrust) Took() string {
	if took := t.Verification.Ended.Sub(t.Verification.Began); took >= 100*time.Millisecond {
		return figures.Elapsed(took)
	}
	return "less than 0.1 s"
}

// Since is how many entries came after the newest verification.
func (t ledgerTrust) Since() uint64 {
	return t.Signed.Size - min(t.Signed.Size, t.Verification.Entries)
}

func readTrust(ctx context.Context, v visit) (ledgerTrust, error) {
	t := ledgerTrust{May: fairlead.Principal{Role: v.role}.May(fairlead.Operator)}
	var err error
	if t.Verification, err = v.api.Verification(ctx); err != nil {
		return t, err
	}
	t.Signed, err = v.api.Signed(ctx)
	return t, err
}

// askVerify shows the form that begins a verification.
func (s *console) askVerify(w http.ResponseWriter, r *http.Request, session Session) {
	t, err := readTrust(r.Context(), s.visit(r, session))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, session, view{
		Title: "Verify the ledger", Still: true, Styles: []string{"ledger.css"}, Crumbs: []crumb{{"Ledger", ledgerPath}},
		Parts: []part{{ID: "verify", Template: "ledger-verify", Data: struct {
			ledgerTrust
			CSRF string
		}{t, csrfOf(r)}}},
	})
}

// verify begins a verification, and leads back to where it is shown.
func (s *console) verify(w http.ResponseWriter, r *http.Request, session Session) {
	if _, err := s.API(session.Who).Verify(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, ledgerPath, http.StatusSeeOther)
}
