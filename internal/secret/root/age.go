package root

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"github.com/dropstack/dropstack/internal/durable"
)

// Age is a key file that is encrypted to an age identity, which is best kept on
// another disk. The file is made if it is not there. It holds the key's 32 bytes,
// and behind them the previous keys while a rotation is under way.
type Age struct {
	Path     string // the encrypted key
	Identity string // the identity file, of mode 0600
}

func (a Age) String() string {
	return fmt.Sprintf("file %s for the age identity %s", a.Path, a.Identity)
}

func (a Age) places() []string { return []string{a.Identity} }

func (a Age) load() (ring, error) {
	identities, err := a.identities()
	if err != nil {
		return ring{}, err
	}
	sealed, err := os.ReadFile(a.Path)
	if errors.Is(err, os.ErrNotExist) {
		r := ring{current: fresh()}
		return r, a.store(r)
	}
	if err != nil {
		return ring{}, err
	}
	plain, err := age.Decrypt(bytes.NewReader(sealed), identities...)
	if err != nil {
		return ring{}, fmt.Errorf("decrypt %s with %s: %w", a.Path, a.Identity, err)
	}
	content, err := io.ReadAll(plain)
	if err != nil {
		return ring{}, fmt.Errorf("decrypt %s: %w", a.Path, err)
	}
	return parseRing(content, a.Path)
}

func (a Age) store(r ring) error {
	identities, err := a.identities()
	if err != nil {
		return err
	}
	var recipients []age.Recipient
	for _, identity := range identities {
		switch i := identity.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, i.Recipient())
		case *age.HybridIdentity:
			recipients = append(recipients, i.Recipient())
		default:
			return invalid("%s: nothing can be encrypted to a %T; make an identity with age-keygen", a.Identity, i)
		}
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err != nil {
		return err
	}
	if _, err := w.Write(r.bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return durable.WriteFile(a.Path, sealed.Bytes(), 0o600)
}

func (a Age) identities() ([]age.Identity, error) {
	content, err := readSecret(a.Identity)
	if err != nil {
		return nil, err
	}
	identities, err := age.ParseIdentities(bytes.NewReader(content))
	if err != nil {
		return nil, invalid("%s is not a file of age identities: %w", a.Identity, err)
	}
	return identities, nil
}
