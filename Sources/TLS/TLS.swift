import CGnuTLS
import Glibc
