// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const tokenPrefix = "K10"

// FormatToken writes k3s's secure form, K10<hash of the authority>::server:<password>.
func FormatToken(ca []byte, password string) string {
	return tokenPrefix + caHash(ca) + "::server:" + password
}

// ParseToken takes either form apart; hash is "" for a bare password.
func ParseToken(token string) (hash, password string) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", token
	}
	hash, cred, ok := strings.Cut(rest, "::")
	if !ok {
		return "", token
	}
	_, password, ok = strings.Cut(cred, ":")
	if !ok {
		return hash, cred
	}
	return hash, password
}

func caHash(ca []byte) string {
	sum := sha256.Sum256(ca)
	return hex.EncodeToString(sum[:])
}
