package kms

// Material is the material of the newest version of a key.
func (k *Keys) Material(id string) []byte {
	key := k.current.Load().keys[id]
	return key.materials[key.last().Number]
}
