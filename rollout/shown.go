package rollout

import (
	"bytes"
	"encoding/json"
)

// withheld stands where a salt stood. It is base64, so that what reads a [Rollout] reads it.
const withheld = `"withheld"`

// Shown returns the data of a ledger's entry as readers may see it: without the salt of a
// rollout. Whoever has the salt can compute which units are on the new release, and can
// open and forge the traces by which late reports are believed. The ledger keeps it, for
// replay; what else stands in the data is as it is there.
func Shown(data json.RawMessage) json.RawMessage {
	var salted struct {
		Salt json.RawMessage `json:"salt"`
	}
	if json.Unmarshal(data, &salted) != nil || len(salted.Salt) < len(withheld) || salted.Salt[0] != '"' {
		return data // it is no object, or has none
	}
	return bytes.ReplaceAll(data, salted.Salt, []byte(withheld))
}
