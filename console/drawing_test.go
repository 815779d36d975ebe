package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

// slowly is an API that knows nothing of courses but that they take their time.
func slowly(t *testing.T) visit {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(api.Close)
	return visit{api: client.Remote(api.URL, "")}
}

func TestAPageDoesNotWaitForALongCourse(t *testing.T) {
	if _, reading, err := courseSoon(t.Context(), slowly(t), "ro-3"); err != nil || !reading {
		t.Errorf("it is being read: %t, %v", reading, err)
	}
	p := rolloutPage{Rollout: aRollout(nil), Drawing: true}
	parts := p.charts()
	html, err := parts[0].render()
	if err != nil {
		t.Fatal(err)
	}
	has(t, string(html), "are being drawn from its record", "reload the page")
	for _, later := range parts[1:] {
		if html, err := later.render(); err != nil || html != "" {
			t.Errorf("%s holds %q, %v", later.ID, html, err)
		}
	}
}

func TestAPageWhoseVisitorWentAwayIsNotOneThatIsBeingDrawn(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, reading, err := courseSoon(gone, slowly(t), "ro-3"); err == nil || reading {
		t.Errorf("it is being read: %t, %v", reading, err)
	}
}
