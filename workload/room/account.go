package room

// Account is how much of a resource is taken: thousandths of a core, or bytes.
type Account struct {
	Has     int64 // 0 where it is not known
	Reserve int64 // of Has, not for instances
	Taken   int64
	Free    int64 // negative where more was promised than there is
}

// Accounts are all that is accounted by amounts.
type Accounts struct {
	CPU     Account // Has is CPUFactor times the cores
	Memory  Account
	Storage Account // Has is the file system's size, Taken what volumes may still fill
}

// Sum says what plans take of m.
func Sum(m Machine, plans []Plan) Accounts {
	a := Accounts{
		CPU:     Account{Has: m.MilliCPU * CPUFactor},
		Memory:  Account{Has: m.Memory, Reserve: m.Reserve},
		Storage: Account{Has: m.State.Size, Free: m.State.Free},
	}
	for _, p := range plans {
		a.CPU.Taken += cpu().sum(cpu().largest(p.Stages))
		a.Memory.Taken += memory().sum(memory().largest(p.Stages))
		for _, v := range p.Volumes {
			a.Storage.Taken += max(0, v.Size-v.Used)
		}
	}
	a.CPU.Free = a.CPU.Has - a.CPU.Taken
	a.Memory.Free = a.Memory.Has - a.Memory.Reserve - a.Memory.Taken
	a.Storage.Free -= a.Storage.Taken
	return a
}
