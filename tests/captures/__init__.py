# tests/captures: what the sensor is tested with, made byte by byte.
# SPDX-License-Identifier: Apache-2.0
