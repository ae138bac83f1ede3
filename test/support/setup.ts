import 'reflect-metadata';
import { useReadyMadeKeys } from './rsa-keys.js';

useReadyMadeKeys();
