package history

import (
	"testing"
)

// ext4 writes, for a sync that changes a file's blocks, a descriptor, an inode's block and a
// commit to its journal (Documentation/filesystems/ext4/journal.rst), of 4 KiB each. Counting
// that for every sync is more than it writes.
const perSync = 3 * 4096

// A year of a quantity every 3 s: what is in the file at its end, how large it is, and what was
// written on its way. Ten quantities are ten of these files.
func TestYear(t *testing.T) {
	days := int64(400) // the rings have gone round
	if testing.Short() || raced {
		days = 30
	}
	p := newPlatter()
	s := newSeries(p)
	end := begun + days*86400
	s.feed(t, begun, end, 3, wave)
	perDay := (p.written + int64(p.syncs)*perSync) / days
	if size := int64(len(p.names[s.name].data)); size > FileSize || 10*FileSize > 40_000_000 {
		t.Errorf("the file has %d bytes, and ten of them at most %d; want 40 MB", size, 10*FileSize)
	}
	t.Logf("a day: %d bytes in %.1f writes, %.1f syncs; with the file system's journal %d bytes", p.written/days, float64(p.writes)/float64(days), float64(p.syncs)/float64(days), perDay)
	if 10*perDay > 50_000_000 {
		t.Errorf("ten quantities write %d bytes a day, want 50 MB", 10*perDay)
	}
	for _, tc := range []struct {
		name   string
		back   int64
		points int
		tier   tier
	}{
		{"a day", 86400 - 60, 0, raw},
		{"a week", 7*86400 - 3600, 0, minutes},
		{"the rest", (min(days, 365)) * 86400, 0, hours},
	} {
		from := end - tc.back
		got, plan := rowsOf(t, s, from, end, tc.points)
		if plan.tier != tc.tier {
			t.Errorf("%s: read from %s, want %s", tc.name, tierNames[plan.tier], tierNames[tc.tier])
		}
		compare(t, tc.name, got, expect(plan, 3, begun, end, wave))
	}
	if over := cap(s.unsaved); over > maxUnsaved+1 {
		t.Errorf("%d pages in memory", over)
	}
}
