package container

import (
	"net/netip"
	"slices"
	"testing"
)

func TestRoutesToEverywhereAreFoundInTheirTable(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	const inside = "eth0\t000014AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	for what, c := range map[string]struct {
		table string
		next  []netip.Addr
	}{
		"a network of its own":         {head + inside, nil},
		"a way out by another address": {head + "eth0\t00000000\t010014AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" + inside, []netip.Addr{netip.MustParseAddr("172.20.0.1")}},
		"a way straight out":           {head + "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", []netip.Addr{{}}},
	} {
		if next := nextToEverywhere(c.table); !slices.Equal(next, c.next) {
			t.Errorf("%s: %v, want %v", what, next, c.next)
		}
	}
}
