package kms

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// How a version came to be.
const (
	automatic = "AUTOMATIC"
	onDemand  = "ON_DEMAND"
)

// EnableKeyRotationInput says how often.
type EnableKeyRotationInput struct {
	KeyId                string
	RotationPeriodInDays *int `json:",omitempty"` // 90 to 2,560; 365
}

// EnableKeyRotation makes a key get a new version every so many days.
func (k *Keys) EnableKeyRotation(ctx context.Context, in EnableKeyRotationInput) (None, error) {
	period := usualRotation
	if in.RotationPeriodInDays != nil {
		period = *in.RotationPeriodInDays
	}
	if period < minRotation || period > maxRotation {
		return None{}, invalid("RotationPeriodInDays is %d; %d to %d are possible", period, minRotation, maxRotation)
	}
	return None{}, k.rotates(ctx, in.KeyId, "EnableKeyRotation", func(r *record) error {
		if in.RotationPeriodInDays == nil && r.Rotation.Period > 0 {
			return nil // on already, and nothing else was asked for
		}
		if period != r.Rotation.Period {
			r.Rotation = rotation{period, time.Now().UTC().AddDate(0, 0, period)}
		}
		return nil
	})
}

// DisableKeyRotation makes a key keep its version.
func (k *Keys) DisableKeyRotation(ctx context.Context, in KeyInput) (None, error) {
	return None{}, k.rotates(ctx, in.KeyId, "DisableKeyRotation", func(r *record) error {
		r.Rotation = rotation{}
		return nil
	})
}

func (k *Keys) rotates(ctx context.Context, id, action string, edit func(*record) error) error {
	found, err := k.allowed(ctx, id, action)
	if err != nil {
		return err
	}
	if err := found.rotatable(); err != nil {
		return err
	}
	return k.update(ctx, found.ID, func(r *record) error {
		if err := (&key{record: *r}).usable(action); err != nil {
			return err
		}
		return edit(r)
	})
}

// rotatable says why a key cannot have another version.
func (k *key) rotatable() error {
	if k.spec() != symmetric {
		return unsupported("%s is of spec %s; only symmetric keys rotate", k.ARN, k.spec())
	}
	return nil
}

// GetKeyRotationStatusOutput says how a key rotates.
type GetKeyRotationStatusOutput struct {
	KeyId                string
	KeyRotationEnabled   bool
	NextRotationDate     wire.Time `json:",omitzero"`
	RotationPeriodInDays int       `json:",omitempty"`
}

// GetKeyRotationStatus tells whether and when a key rotates by itself.
func (k *Keys) GetKeyRotationStatus(ctx context.Context, in KeyInput) (GetKeyRotationStatusOutput, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return GetKeyRotationStatusOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "GetKeyRotationStatus"}); err != nil {
		return GetKeyRotationStatusOutput{}, err
	}
	out := GetKeyRotationStatusOutput{KeyId: found.ARN}
	if found.Rotation.Period > 0 && found.state() != pendingDeletion {
		out.KeyRotationEnabled, out.RotationPeriodInDays = true, found.Rotation.Period
		out.NextRotationDate = wire.At(found.Rotation.Next)
	}
	return out, nil
}

// KeyOutput names a key by its ARN.
type KeyOutput struct{ KeyId string }

// RotateKeyOnDemand gives a key a new version now.
func (k *Keys) RotateKeyOnDemand(ctx context.Context, in KeyInput) (KeyOutput, error) {
	found, err := k.allowed(ctx, in.KeyId, "RotateKeyOnDemand")
	if err != nil {
		return KeyOutput{}, err
	}
	if err := found.rotatable(); err != nil {
		return KeyOutput{}, err
	}
	k.change.Lock()
	defer k.change.Unlock()
	now, err := k.find(found.ID)
	if err != nil {
		return KeyOutput{}, err
	}
	if err := now.usable("RotateKeyOnDemand"); err != nil {
		return KeyOutput{}, err
	}
	done := 0
	for _, v := range now.Versions {
		if v.Kind == onDemand {
			done++
		}
	}
	if done >= maxOnDemand {
		return KeyOutput{}, limit("%s was rotated on demand %d times, which is the most", now.ARN, maxOnDemand)
	}
	return KeyOutput{now.ARN}, k.rotate(ctx, now, onDemand)
}

// rotate gives a key a new version: its material first, so that a crash between
// leaves a version that nobody knows. change must be held.
func (k *Keys) rotate(ctx context.Context, old *key, kind string) error {
	material, err := old.kind().generate()
	if err != nil {
		return err
	}
	next := *old
	next.record = old.record.clone()
	number := old.last().Number + 1
	next.Versions = append(next.Versions, version{number, materialID(material), time.Now().UTC(), kind})
	if kind == automatic {
		next.Rotation.Next = time.Now().UTC().AddDate(0, 0, next.Rotation.Period)
	}
	if err := k.writeMaterial(ctx, old.ARN, old.ID, number, material); err != nil {
		return err
	}
	next.materials = maps.Clone(old.materials)
	next.materials[number] = material
	if err := k.put(ctx, next); err != nil {
		return err
	}
	k.Log.Info("key rotated", "key", old.ARN, "version", number, "kind", kind)
	return nil
}

// ListKeyRotationsInput asks for a page.
type ListKeyRotationsInput struct {
	KeyId              string
	IncludeKeyMaterial string `json:",omitempty"` // ALL_KEY_MATERIAL: the first version too
	Limit              *int   `json:",omitempty"` // 1 to 1,000; 100
	Marker             string `json:",omitempty"`
}

// ListKeyRotationsOutput is a page.
type ListKeyRotationsOutput struct {
	Rotations  []RotationsListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// RotationsListEntry is a version.
type RotationsListEntry struct {
	KeyId            string
	KeyMaterialId    string
	KeyMaterialState string    // CURRENT or NON_CURRENT
	RotationDate     wire.Time `json:",omitzero"`
	RotationType     string    `json:",omitempty"`
}

// ListKeyRotations lists the versions that rotations made, oldest first.
func (k *Keys) ListKeyRotations(ctx context.Context, in ListKeyRotationsInput) (ListKeyRotationsOutput, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return ListKeyRotationsOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "ListKeyRotations"}); err != nil {
		return ListKeyRotationsOutput{}, err
	}
	var ids []string
	byID := map[string]version{}
	for _, v := range found.Versions {
		if v.Kind == "" && in.IncludeKeyMaterial != "ALL_KEY_MATERIAL" {
			continue
		}
		id := strconv.Itoa(int(v.Number) + 1_000_000) // sorts as the number does
		ids, byID[id] = append(ids, id), v
	}
	slices.Sort(ids)
	p, err := pageOf(ids, in.Limit, in.Marker, 100, 1000)
	if err != nil {
		return ListKeyRotationsOutput{}, err
	}
	out := ListKeyRotationsOutput{Rotations: []RotationsListEntry{}, NextMarker: p.next, Truncated: p.next != ""}
	for _, id := range p.ids {
		v := byID[id]
		e := RotationsListEntry{KeyId: found.ARN, KeyMaterialId: v.MaterialID, KeyMaterialState: "NON_CURRENT", RotationType: v.Kind}
		if v.Number == found.last().Number {
			e.KeyMaterialState = "CURRENT"
		}
		if v.Kind != "" {
			e.RotationDate = wire.At(v.Created)
		}
		out.Rotations = append(out.Rotations, e)
	}
	return out, nil
}
