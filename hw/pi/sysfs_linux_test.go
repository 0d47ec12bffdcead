package pi

import (
	"log/slog"
	"os"
	"testing"

	"pithings/hw"
	"pithings/hw/hwtest"
)

// Every Linux has a loopback interface, which sysfs shows as it does sensors: a
// link to a folder of files with a value each.
func TestSysfs(t *testing.T) {
	if _, err := os.Stat("/sys/class/net/lo/mtu"); err != nil {
		t.Skip("skipped: no sysfs here: ", err)
	}
	board, err := Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(board.Close)
	hwtest.Run(t, hwtest.Harness{
		Open:  func(*testing.T) hw.Board { return board },
		Sysfs: &hwtest.Sysfs{Name: "lo", Value: "sys/class/net/lo/mtu", Link: "sys/class/net/lo"},
	})
}
