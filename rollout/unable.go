package rollout

// unable holds the watch of a promoted release while the machine cannot start its
// instances: that says nothing of the release, and the old one would not start either.
// It goes on by itself once they start. Records from before that was told apart have
// none. It reports whether it decided.
func (d *decision) unable() bool {
	switch {
	case d.r.Phase != Watching:
		return false
	case d.in.New.Unable != "" && d.r.Held == "":
		d.r.Held = HeldMachine
		d.say("rollout.alerted", "this machine cannot start instances of %s: %s; that is no evidence against the release, and nothing is rolled back", d.name(), d.in.New.Unable)
		return true
	case d.in.New.Unable == "" && d.r.Held == HeldMachine:
		d.r.Held = ""
		d.say("rollout.resumed", "this machine starts instances of %s again; the watch goes on", d.name())
		return true
	}
	return false
}
