package probe

import (
	"errors"
	"testing"
)

// An adapter that times out at an address without a device does not hang, when
// another chip has answered.
func TestAnotherChipBehindAnAdapterThatTimesOut(t *testing.T) {
	err := errors.New("bme680: no BME680: a BMP280 at 0x76, no answer at 0x77 (connection timed out); connect a BME680")
	for answered, want := range map[bool]string{true: "connect a BME680", false: "look for a wire"} {
		if r := chipTrouble("s", &readOnly{fix: "look for a wire", answered: answered}, err); r.Fix != want {
			t.Errorf("answered %v: the fix is %q, want %q", answered, r.Fix, want)
		}
	}
}
