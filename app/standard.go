package app

import "github.com/fairlead/fairlead"

// standardSignals returns the kinds of names that have one meaning everywhere.
func standardSignals() map[string]string {
	return map[string]string{
		"task-success": fairlead.KindSuccess, // an agent solved its task
		"tool-failure": fairlead.KindFailure, // a tool call failed
		"escalation":   fairlead.KindFailure, // a human had to take over
		"refusal":      fairlead.KindFailure,
		"feedback":     fairlead.KindSuccess, // of a user
		"quality":      fairlead.KindScore,
		"preference":   fairlead.KindPreference,
		"steps":        fairlead.KindAmount,
		"tokens":       fairlead.KindAmount,
		"cost":         fairlead.KindAmount, // in the currency of the team's choice
	}
}
