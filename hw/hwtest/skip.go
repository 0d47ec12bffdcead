package hwtest

import "testing"

func skipUnless(t *testing.T, can bool, reason string) {
	t.Helper()
	if !can {
		t.Skip("skipped: " + reason)
	}
}
