package console

import "strings"

// family is the kinds of entries that begin alike.
type family struct {
	Prefix string // with its dot, as a filter takes it
	Name   string
	Kinds  []entryKind
}

// entryKind is a kind of entry in words.
type entryKind struct {
	Kind string
	Name string
	Tone string // of its badge
}

// families are the kinds of entries that Fairlead writes. One that is not here, such as
// of a newer version that wrote this ledger, is shown by its own name.
func families() []family {
	return []family{
		{"rollout.", "Rollouts", []entryKind{
			{"rollout.began", "Rollout begins", "move"}, {"rollout.starting", "Instances start", "move"},
			{"rollout.clearing", "Requests wait", "move"}, {"rollout.cleared", "Old release ended", "move"},
			{"rollout.stepped", "Step", "move"}, {"rollout.grown", "Step grows", "move"},
			{"rollout.widened", "Widened", "move"}, {"rollout.advanced", "Step is safe", "safe"},
			{"rollout.promoted", "Promoted", "safe"}, {"rollout.rolledBack", "Rolled back", "harm"},
			{"rollout.failed", "Failed", "harm"}, {"rollout.aborted", "Aborted", "held"},
			{"rollout.held", "Held", "held"}, {"rollout.paused", "Paused", "held"},
			{"rollout.resumed", "Resumed", "move"}, {"rollout.explained", "Explained", "quiet"},
			{"rollout.alerted", "Alarm", "harm"}, {"rollout.noted", "Forecast", "quiet"},
			{"rollout.ended", "Rollout ends", "quiet"},
		}},
		{"traffic.", "Traffic", []entryKind{
			{"traffic.shift", "Shift ordered", "quiet"}, {"traffic.shifted", "Traffic shifted", "quiet"},
			{"traffic.shiftedFailed", "Shift failed", "harm"},
		}},
		{"gate.", "Gates", []entryKind{
			{"gate.run", "Gate to run", "quiet"}, {"gate.passed", "Gate passed", "safe"},
			{"gate.failed", "Gate failed", "harm"}, {"gate.interrupted", "Gate interrupted", "held"},
		}},
		{"release.", "Releases", []entryKind{
			{"release.created", "New release", "quiet"}, {"release.policy", "New policy", "quiet"},
		}},
		{"instance.", "Instances", []entryKind{
			{"instance.start", "Start ordered", "quiet"}, {"instance.started", "Instance started", "quiet"},
			{"instance.startedFailed", "Start failed", "harm"}, {"instance.stop", "Stop ordered", "quiet"},
			{"instance.stopped", "Instance stopped", "quiet"}, {"instance.stoppedFailed", "Stop failed", "harm"},
		}},
		{"gateway.", "Gateway", []entryKind{
			{"gateway.started", "Gateway started", "quiet"}, {"gateway.leaseExpired", "Lease expired", "held"},
			{"gateway.ejected", "Instance ejected", "held"}, {"gateway.restored", "Instance restored", "quiet"},
			{"gateway.spoolFull", "Evidence dropped", "harm"}, {"gateway.stateLost", "State lost", "harm"},
		}},
		{"secret.", "Secrets", []entryKind{
			{"secret.set", "Secret set", "quiet"}, {"secret.removed", "Secret removed", "quiet"},
		}},
		{"token.", "Tokens", []entryKind{
			{"token.created", "Token made", "quiet"}, {"token.revoked", "Token revoked", "quiet"},
		}},
		{"console.", "Console", []entryKind{
			{"console.opened", "Logged in", "quiet"}, {"console.closed", "Logged out", "quiet"},
		}},
		{"server.", "Control plane", []entryKind{
			{"server.started", "Control plane starts", "quiet"}, {"server.ending", "Control plane ends", "quiet"},
			{"server.gatewayRestarted", "Gateway restarted", "held"}, {"server.gatewayReplaced", "Gateway replaced", "quiet"},
			{"server.gatewayKept", "Gateway kept", "held"}, {"server.strangersEnded", "Strangers ended", "held"},
		}},
	}
}

// kindOf puts a kind in words, also one that is not known.
func kindOf(kind string) entryKind {
	for _, f := range families() {
		for _, k := range f.Kinds {
			if k.Kind == kind {
				return k
			}
		}
	}
	return entryKind{kind, kind, "quiet"}
}

// kindFilter puts the filter of a kind or a family in words.
func kindFilter(kind string) string {
	for _, f := range families() {
		if f.Prefix == kind {
			return f.Name
		}
	}
	return kindOf(kind).Name
}

// actor is who did something, in words.
type actor struct {
	Name   string
	Filter string // by which all that they did is found
	Sort   string // person, program, system or erased
}

// actorOf tells persons, programs and Fairlead itself apart.
func actorOf(principal string) actor {
	if part, ok := strings.CutPrefix(principal, "system:"); ok {
		known := map[string]string{
			"rollout": "rollouts", "readiness": "gates", "server": "control plane", "gateway": "gateway",
		}
		if known[part] != "" {
			part = known[part]
		}
		return actor{"Fairlead, " + part, principal, "system"}
	}
	if name, ok := strings.CutPrefix(principal, "token:"); ok {
		return actor{"program " + name, principal, "program"}
	}
	if principal == "[erased]" {
		return actor{"an erased person", principal, "erased"}
	}
	return actor{principal, principal, "person"}
}
