package compose

// idleAttributes are attributes of a service that an app does not need, and why.
func idleAttributes() map[string]string {
	return map[string]string{
		"container_name":  "instances have names of their own; `fairlead status` tells them",
		"hostname":        "an instance has a name of its own",
		"domainname":      "an instance has a name of its own",
		"labels":          "they mean something to other programs only",
		"label_file":      "they mean something to other programs only",
		"annotations":     "they mean something to other programs only",
		"logging":         "output is kept by Fairlead: `fairlead logs`",
		"log_driver":      "output is kept by Fairlead: `fairlead logs`",
		"log_opt":         "output is kept by Fairlead: `fairlead logs`",
		"attach":          "output is kept by Fairlead: `fairlead logs`",
		"develop":         "it is for work on a developer's machine",
		"pull_policy":     "an image is pinned when it is deployed, and pulled where it is missing",
		"stdin_open":      "an app reads no terminal",
		"tty":             "an app writes to no terminal",
		"init":            "orphaned processes are the engine's to reap, and the app's",
		"oom_score_adj":   "what ends when memory runs out is decided by the app's own limit",
		"memswap_limit":   "an instance does not swap",
		"mem_swappiness":  "an instance does not swap",
		"mem_reservation": "what an app is accounted with is its limit",
		"extends":         "it was followed",
		"cpu_shares":      "an app has the share that its limit says",
		"mac_address":     "an instance's address is the gateway's affair",
		"storage_opt":     "the image's own files are read-only",
	}
}

// lostAttributes are attributes that an app may miss: why they are not there, and
// what to do instead.
func lostAttributes() map[string][2]string {
	machine := "what belongs to the machine is not seen inside"
	names := "there is no name service inside: names stand for what spec.network.reach lists"
	return map[string][2]string{
		"devices":             {machine, "ask for GPUs under spec.resources.gpu; there is no other device"},
		"device_cgroup_rules": {machine, "ask for GPUs under spec.resources.gpu; there is no other device"},
		"ipc":                 {machine, "have the app use a /dev/shm of its own, as large as spec.resources.shm says (64Mi without it)"},
		"pid":                 {machine, "do without"},
		"uts":                 {machine, "do without"},
		"userns_mode":         {machine, "do without"},
		"cgroup":              {machine, "do without"},
		"cgroup_parent":       {machine, "do without"},
		"use_api_socket":      {"who may use the engine is as good as root", "do without"},
		"sysctls":             {"the kernel's settings are the engine's defaults", "see whether the app works with them"},
		"dns":                 {names, "name what the app calls under spec.network.reach"},
		"dns_search":          {names, "name what the app calls under spec.network.reach"},
		"dns_opt":             {names, "name what the app calls under spec.network.reach"},
		"extra_hosts":         {names, "name what the app calls under spec.network.reach"},
		"external_links":      {names, "name what the app calls under spec.network.reach"},
		"platform":            {"an image runs on the machine's own platform", "see that the image has it"},
		"stop_signal":         {"an instance is asked to end by SIGTERM", "have the app end on SIGTERM"},
		"working_dir":         {"the app starts in the image's own directory", "write WORKDIR in the Dockerfile"},
		"group_add":           {"an instance has its own group only", "see that the app needs no other"},
		"volumes_from":        {"volumes are an app's own", "have one app keep it, and the other ask that one"},
		"pre_start":           {"nothing runs before the app", "make it a gate, or a part of the app's own start"},
		"post_start":          {"nothing runs beside the app", "make it a part of the app"},
		"pre_stop":            {"an instance is asked to end by SIGTERM", "have the app do it then"},
		"models":              {"a model is a file of the release, or an app of its own", "name the model's files under spec.model"},
		"cpuset":              {"an app has a share of all cores", "write spec.resources.cpu"},
		"cpu_quota":           {"an App says how many cores an instance has", "write spec.resources.cpu"},
		"cpu_period":          {"an App says how many cores an instance has", "write spec.resources.cpu"},
		"cpu_count":           {"an App says how many cores an instance has", "write spec.resources.cpu"},
		"cpu_percent":         {"an App says how many cores an instance has", "write spec.resources.cpu"},
		"blkio_config":        {"disks are not shared out", "see whether the app works without"},
		"oom_kill_disable":    {"what is over its memory limit is ended and started again", "write spec.resources.memory"},
		"isolation":           {"it is for Windows", ""},
		"credential_spec":     {"it is for Windows", ""},
	}
}
