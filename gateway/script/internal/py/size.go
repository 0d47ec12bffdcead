package py

// Size estimates the bytes of values with all that they keep alive, each once.
func Size(values ...Value) (total int) {
	seen := map[Value]bool{}
	var pending []Value
	look := func(v Value) {
		switch x := v.(type) {
		case nil, NoneType, Bool:
		case Int, Float:
			total += 8
		case Str:
			total += 16 + len(x)
		case Bytes:
			total += 16 + len(x)
		case *Big:
			total += 32 + x.V.BitLen()/8
		case *ByteArray:
			if !seen[v] {
				seen[v] = true
				total += 40 + cap(x.V)
			}
		case Container:
			if !seen[v] {
				seen[v] = true
				pending = append(pending, v)
			}
		default:
			total += 32
		}
	}
	for _, v := range values {
		look(v)
	}
	for len(pending) > 0 {
		v := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		total += v.(Container).Each(look)
	}
	return total
}
