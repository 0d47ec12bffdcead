package fleet

import "testing"

// Pis obey their topics and are left as they are; the others of a fleet are changed.
func TestPisAreNotChanged(t *testing.T) {
	r := run(t, nil, "pi", "generic")
	r.ok("/devices/"+r.f.name(0)+"/config?time=5", errPi.Error())
	r.ok("/config?time=5", `"ok":true`)
	r.ok("/devices/"+r.f.name(1)+"/", `"seconds":5`)
}
