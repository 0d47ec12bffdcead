package things

import "slices"

// Kinds lists the kinds of things, in the order of the documentation.
func Kinds() []*Kind {
	return []*Kind{
		motionKind,
		environmentKind,
		cameraKind,
		screenKind,
		inputKind,
		outputKind,
		kernelKind,
		hostKind,
		modbusKind,
	}
}

// KindOf returns the kind of that name, or nil.
func KindOf(name string) *Kind {
	kinds := Kinds()
	if i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i]
	}
	return nil
}

// KindNames lists their names.
func KindNames() (names []string) {
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}
