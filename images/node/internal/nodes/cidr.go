// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/binary"
	"fmt"
	"net"
)

const podBits = 24 // each node has a /24 of pods

// freeCIDR is the first node network within cluster that is not in used.
func freeCIDR(cluster *net.IPNet, used map[string]bool) (string, error) {
	ones, _ := cluster.Mask.Size()
	base := cluster.IP.To4()
	if base == nil || ones > podBits {
		return "", fmt.Errorf("pod network %s has no room for a /%d", cluster, podBits)
	}
	first := binary.BigEndian.Uint32(base)
	for i := range uint32(1) << (podBits - ones) {
		ip := make(net.IP, 4)
		binary.BigEndian.PutUint32(ip, first+i<<(32-podBits))
		if cidr := fmt.Sprintf("%s/%d", ip, podBits); !used[cidr] {
			return cidr, nil
		}
	}
	return "", fmt.Errorf("pod network %s is used up", cluster)
}
