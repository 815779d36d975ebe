package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/boundedget"
	"github.com/fairlead/fairlead/rollout"
)

// query asks a server for the value of a PromQL expression now. The form of calls and
// answers is that of the Prometheus HTTP API, "Instant queries":
// https://prometheus.io/docs/prometheus/latest/querying/api/
func (r Reader) query(ctx context.Context, g fairlead.Guard, at rollout.GuardPlace) (float64, error) {
	expression, err := fill(g.Query, at)
	if err != nil {
		return 0, err
	}
	base, err := url.Parse(g.Prometheus)
	if err != nil {
		return 0, errors.New("the server's address is not a URL")
	}
	call := base.JoinPath("api/v1/query")
	call.RawQuery = url.Values{"query": {expression}, "timeout": {answerWithin.String()}}.Encode()
	status, body, err := get(ctx, call.String(), new(net.Dialer).DialContext, "application/json")
	if err != nil {
		return 0, err
	}
	return answered(status, body)
}

// fill puts the app, the environment and the release into an expression, fit for a
// string in double quotes.
func fill(query string, at rollout.GuardPlace) (string, error) {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	filled := strings.NewReplacer(
		"{{app}}", quoted.Replace(at.Site.App), "{{environment}}", quoted.Replace(at.Site.Env), "{{release}}", strconv.Itoa(at.Release),
	).Replace(query)
	if i := strings.Index(filled, "{{"); i >= 0 {
		return "", fmt.Errorf("the query has %s: only {{app}}, {{environment}} and {{release}} are filled in", boundedget.Clean(filled[i:min(len(filled), i+30)]))
	}
	return filled, nil
}

// answered returns the one number of a query's answer.
func answered(status int, body []byte) (float64, error) {
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Type   string          `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &answer)
	switch {
	case err == nil && answer.Status == "error":
		return 0, fmt.Errorf("the server says: %s", boundedget.Clean(answer.Error))
	case status != http.StatusOK:
		return 0, fmt.Errorf("the server answers with status %d", status)
	case err != nil || answer.Status != "success":
		return 0, errors.New("the server's answer is not that of a query")
	}
	switch answer.Data.Type {
	case "scalar":
		return sample(answer.Data.Result)
	case "vector":
		var vector []struct {
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(answer.Data.Result, &vector); err != nil {
			return 0, errors.New("the server's answer is not that of a query")
		}
		if len(vector) != 1 {
			return 0, count(len(vector), "the query", "aggregate them, as with sum(...) or max(...)")
		}
		return sample(vector[0].Value)
	}
	return 0, fmt.Errorf("the query gives a %s, not one number", boundedget.Clean(answer.Data.Type))
}

// sample reads [time, "value"].
func sample(raw json.RawMessage) (float64, error) {
	var pair []json.RawMessage
	var text string
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[1], &text) != nil {
		return 0, errors.New("the server's answer is not that of a query")
	}
	return finite(text)
}

// finite reads a number as the text format and the query API write it.
func finite(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s is not a number", boundedget.Clean(text))
	case math.IsNaN(v):
		return 0, errors.New("the value is NaN, as of 0 divided by 0")
	case math.IsInf(v, 0):
		return 0, errors.New("the value is infinite")
	}
	return v, nil
}

// count says that there is not one value.
func count(n int, of, hint string) error {
	if n == 0 {
		return fmt.Errorf("%s has no result", of)
	}
	return fmt.Errorf("%s has %d results: %s", of, n, hint)
}
