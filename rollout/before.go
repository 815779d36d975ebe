package rollout

// Before returns the release that another took the place of, and where: the one that had
// the traffic when its newest rollout in the last of the environments that it came to
// began. history are its rollouts, oldest first, and environments are in order of
// promotion; number is 0 where it came to no environment, or was the first there. A
// rollout that only brought it back does not count.
func Before(history []Rollout, environments []string) (number int, env string) {
	last := -1
	for _, r := range history {
		for i, name := range environments {
			if r.Site.Env == name && r.Kind == Forward && r.From != r.To && i >= last {
				last, number, env = i, r.From, name
			}
		}
	}
	return number, env
}
